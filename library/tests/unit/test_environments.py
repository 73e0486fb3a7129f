"""docs/environments.yaml: errors name line, key and fix; what a rollback leads to."""

import pytest
from stagebook.deliver.deploy import find_previous
from stagebook.deliver.environments import FILE, find_environment, read_environments
from stagebook.project.errors import DataError, StepError
from stagebook.registry.history import Entry

GOOD = """
environments:
  dev: {address: "http://127.0.0.1:8001"}
  staging:
    address: http://localhost:8002
    folder: /srv/staging
    stores: {prediction_log: STAGING_LOG_URL}
  production: {address: "https://models.example.com", needs: staging, command: [kubectl, apply], approvers: [anna]}
"""


def write(root, text):
    (root / "docs").mkdir(exist_ok=True)
    (root / FILE).write_text(text, encoding="utf-8")
    return root


def test_what_is_left_out_has_a_default_and_the_last_one_is_found(tmp_path):
    found = read_environments(write(tmp_path, GOOD))
    assert list(found) == ["dev", "staging", "production"]
    assert found["dev"].folder == str(tmp_path / ".local/environments/dev")
    assert (found["staging"].folder, found["staging"].port) == ("/srv/staging", 8002)
    assert found["production"].port == 443
    assert find_environment(found, "staging").stores.prediction_log == "STAGING_LOG_URL"
    assert find_environment(found, "").name == "production", "the last one; dev is needed by none, but needs none"
    with pytest.raises(StepError, match=r"'stagin' is no environment; .* Did you mean `staging`\?"):
        find_environment(found, "stagin")
    del found["production"]
    with pytest.raises(StepError, match=r"which environment\? `--to NAME`; docs/environments.yaml has dev, staging"):
        find_environment(found, "")  # neither needs the other


def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch):
    staging = read_environments(write(tmp_path, GOOD))["staging"]
    monkeypatch.delenv("STAGING_LOG_URL", raising=False)
    with pytest.raises(StepError, match="staging needs the environment variable STAGING_LOG_URL, which is not set"):
        staging.secret(staging.stores.prediction_log)
    assert staging.secret("") == ""


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("{}", "line 1: environments is empty"),
        ("\n  a: {}", "line 2: environments.a has no `address`. Write it"),
        ("\n  a: {address: 'http://localhost:1', need: b}", "`need` is not known; .* Did you mean `needs`"),
        ("\n  a: {address: 'http://localhost:1', needs: b}", "needs is 'b'; it must be an environment above this one"),
        ("\n  a: {address: 'http://localhost'}", "without `command` the service runs on this machine"),
        ("\n  a: {address: 'http://example.com:1'}", "without `command` the service runs on this machine"),
        ("\n  a: {address: 'ftp://localhost:1'}", "it must be as http://127.0.0.1:8001"),
        ("\n  a: {address: 'http://localhost:port'}", "it must be as http://127.0.0.1:8001"),
        ("\n  a: {address: 'http://u:pw@x.com', command: [c]}", "has a user or password in it; set `api_key`"),
        ("\n  a: {address: 'http://localhost:1', api_key: 's3cret!'}", "must be the name of an environment variable"),
        ("\n  A b: {address: 'http://localhost:1'}", "is no name of an environment"),
        (
            "\n  a: {address: 'http://localhost:1'}\n  b: {address: 'http://localhost:1'}",
            "line 3: environments.b.address is that of a; give each its own",
        ),
        (
            "\n  a: {address: 'http://localhost:1', folder: x}\n  b: {address: 'http://localhost:2', folder: x}",
            "environments.b.folder is that of a",
        ),
    ],
)
def test_errors_name_line_key_and_fix_and_no_secret(tmp_path, lines, message):
    with pytest.raises(DataError, match=message) as error:
        read_environments(write(tmp_path, f"environments: {lines}\n"))
    assert "s3cret" not in str(error.value) and "pw" not in str(error.value)


def test_a_file_that_is_missing_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"docs/environments.yaml.* is missing.*deployment\.md"):
        read_environments(tmp_path)


def entries(*steps):
    return [
        Entry(number, number - 1, kind, 1, "who", "when", "why", {"artefact": digest}, "ticket")
        for number, (kind, digest) in enumerate(steps, 1)
    ]


@pytest.mark.parametrize(
    ("steps", "previous"),
    [
        ([], None),
        (["+a"], None),
        (["+a", "+b"], "a"),
        (["+a", "+b", "-a"], None),
        (["+a", "+b", "+c", "-b"], "a"),
        (["+a", "+b", "+b"], "a"),
        (["+a", "+b", "-a", "+c"], "a"),
        (["+a", "+b", "+a"], "b"),
    ],
)
def test_a_rollback_leads_to_the_artefact_before_and_never_to_one_that_was_rolled_back(steps, previous):
    kinds = {"+": "deploy", "-": "rollback"}
    found = find_previous(entries(*((kinds[step[0]], step[1:]) for step in steps)))
    assert (found.metrics["artefact"] if found else None) == previous
