"""Who is champion stays true whoever promotes at once, is killed half-way or edits aliases by hand."""

import json
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
from stagebook.project.errors import RegistryError
from stagebook.registry import life_cycle, stages
from stagebook.registry.history import append, find_rolled_back, history, replay
from stagebook.registry.life_cycle import list_models, promote, rollback
from stagebook.registry.listing import show_history, show_versions
from stagebook.registry.stages import sync
from stagebook.registry.versions import find_aliases, find_versions

ROUNDS = 20


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """An MLflow database without any model: making one takes a second."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture
def store(empty_store, tmp_path, monkeypatch):
    """A store of the test's own with four versions of the model `m`; return its URI."""
    monkeypatch.setenv("GITHUB_ACTOR", "somebody")
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path)}"
    mlflow.set_tracking_uri(uri)
    mlflow.MlflowClient().create_registered_model("m")
    for _ in range(4):
        mlflow.MlflowClient().create_model_version("m", source=str(tmp_path))
    return uri


def check(version, champion=None, refused=(), **more):
    """Write the gate's decision on a version."""
    points = [{"gate": "gain", "passed": not refused, "message": reason} for reason in refused or ["better"]]
    decision = {
        "metric": "roc_auc",
        "candidate": 0.75,
        "refused": list(refused),
        "points": points,
        "champion": champion,
    }
    mlflow.MlflowClient().set_model_version_tag("m", str(version), "gate.decision", json.dumps(decision | more))
    mlflow.MlflowClient().set_registered_model_alias("m", "challenger", str(version))


def promote_in_turn(*versions):
    champion = None
    for version in versions:
        check(version, champion)
        promote("m", version, f"better than {champion}")
        champion = version


def stages_in_mlflow():
    return {number: version.tags.get("stage") for number, version in find_versions("m").items()}


def test_promotions_push_and_rollbacks_pop(store):
    promote_in_turn(1, 2, 3)
    assert replay(history("m")) == [1, 2, 3]
    assert rollback("m", "too slow")[-1].version == 2
    check(4, champion=2)
    promote("m", 4, "better than 2")
    assert replay(history("m")) == [1, 2, 4]
    rollback("m", "wrong on Sundays")
    entries = rollback("m", "wrong on Mondays")
    assert [(entry.kind, entry.version) for entry in entries[-3:]] == [("promote", 4), ("rollback", 2), ("rollback", 1)]
    assert find_rolled_back(entries) == {3: "too slow", 4: "wrong on Sundays", 2: "wrong on Mondays"}
    assert find_versions("m")[3].tags["rolled_back"] == "too slow"
    with pytest.raises(RegistryError, match="no champion before version 1"):
        rollback("m", "again")
    assert find_aliases("m")["champion"] == 1


def test_nothing_to_roll_back_and_no_model_are_said(store):
    with pytest.raises(RegistryError, match="m has no champion"):
        rollback("m", "why not")
    with pytest.raises(RegistryError, match=r"has no model 'other'\. `make pipeline` registers one"):
        list_models("other")


def test_a_rolled_back_version_is_not_champion_again_below_another(store):
    promote_in_turn(1, 2)
    check(1, champion=2)
    promote("m", 1, "better again")
    assert rollback("m", "no, it is not")[-1].version == 2
    with pytest.raises(RegistryError, match="no champion before version 2"):
        rollback("m", "nor this")


def test_of_two_entries_on_the_same_one_the_first_counts(store):
    assert append("m", "promote", 1, "first", after=0)
    assert append("m", "promote", 2, "fast", after=1, metrics={"roc_auc": 0.7})
    assert not append("m", "promote", 3, "slow", after=1)
    assert not append("m", "rollback", 1, "slower", after=1)
    assert append("m", "promote", 4, "looked again", after=2)
    assert [(entry.number, entry.after, entry.version, entry.why) for entry in history("m")] == [
        (1, 0, 1, "first"),
        (2, 1, 2, "fast"),
        (5, 2, 4, "looked again"),
    ]
    assert history("m")[1].metrics == {"roc_auc": 0.7}
    assert len(find_versions("m-promotions")) == 5  # what does not count is not lost either


def test_a_promotion_that_lost_is_checked_against_the_new_champion(store, monkeypatch):
    for version in (1, 2):
        check(version)

    def overtaken(*words, **more):
        monkeypatch.undo()
        append("m", "promote", 2, "overtakes", after=0)
        return append(*words, **more)

    monkeypatch.setattr(life_cycle, "append", overtaken)
    with pytest.raises(
        RegistryError, match="version 1 was checked when there was no champion; version 2 is champion now"
    ):
        promote("m", 1, "slow")
    assert (find_aliases("m")["champion"], len(history("m"))) == (2, 1)


def test_two_at_once_leave_one_champion_and_lose_no_entry(store):
    barrier = threading.Barrier(2, timeout=300)

    def promote_often(version):
        for turn in range(ROUNDS):
            barrier.wait()
            while not append(
                "m", "promote", version, str(turn), after=max((one.number for one in history("m")), default=0)
            ):
                pass
            sync("m")

    with ThreadPoolExecutor() as pool:
        list(pool.map(promote_often, (1, 2)))
    entries = history("m")
    assert sorted((one.version, int(one.why)) for one in entries) == [
        (v, turn) for v in (1, 2) for turn in range(ROUNDS)
    ]
    assert len(find_versions("m-promotions")) > len(entries), "the two never met"
    assert find_aliases("m")["champion"] == entries[-1].version
    assert [number for number, stage in stages_in_mlflow().items() if stage == "production"] == [entries[-1].version]


def test_who_sets_an_old_champion_looks_again(store, monkeypatch):
    promote_in_turn(1)
    really_set = stages._set

    def late(name, entries):
        monkeypatch.undo()
        append("m", "promote", 2, "meanwhile", after=1)
        sync("m")
        really_set(name, entries)
        assert find_aliases("m")["champion"] == 1

    monkeypatch.setattr(stages, "_set", late)
    sync("m")
    assert find_aliases("m")["champion"] == 2
    assert stages_in_mlflow()[2] == "production"


@pytest.mark.parametrize(
    ("command", "champion"), [(sync, 3), (list_models, 3), (lambda name: rollback(name, "no good"), 2)]
)
def test_killed_after_the_entry_is_repaired_by_the_next_command(store, monkeypatch, command, champion):
    promote_in_turn(1, 2)
    check(3, champion=2)

    def killed(*words):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            promote("m", 3, "killed half-way")
    assert (history("m")[-1].version, find_aliases("m")["champion"]) == (3, 2)
    command("m")
    assert find_aliases("m")["champion"] == history("m")[-1].version == champion
    assert stages_in_mlflow()[champion] == "production"


def test_an_answer_that_got_lost_counts_once(store, monkeypatch):
    create = mlflow.MlflowClient.create_model_version

    def lose(*words, **more):
        create(*words, **more)
        create(*words, **more)  # the HTTP client tries again by itself
        raise mlflow.MlflowException("connection lost")

    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", lose)
    assert append("m", "promote", 1, "first", after=0)
    assert len(history("m")) == 1


def test_a_server_that_refuses_is_an_error_and_not_a_lost_race(store, monkeypatch):
    def refuse(*words, **more):
        raise mlflow.MlflowException("no space left on device")

    monkeypatch.setattr(mlflow.MlflowClient, "create_model_version", refuse)
    with pytest.raises(mlflow.MlflowException, match="no space left"):
        append("m", "promote", 1, "first", after=0)


def test_aliases_moved_by_hand_move_back(store):
    promote_in_turn(1, 2)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("m", "champion", "4")
    client.set_model_version_tag("m", "4", "stage", "production")
    sync("m")
    assert find_aliases("m")["champion"] == 2
    assert stages_in_mlflow() == {1: "archived", 2: "production", 3: "development", 4: "development"}


def test_a_champion_from_before_the_log_is_its_first_entry(store):
    check(3)
    mlflow.MlflowClient().set_registered_model_alias("m", "champion", "3")
    why = "had the alias champion when this log began; the gate had passed it"
    assert [(entry.version, entry.why) for entry in sync("m")] == [(3, why)]
    assert sync("m") == history("m")


@pytest.mark.parametrize(
    "decision", [None, {"refused": ["worse"]}, {"points": []}, {"points": [{"passed": False, "message": "slow"}]}]
)
def test_an_alias_set_by_hand_makes_no_champion_of_a_version_that_did_not_pass(store, capsys, decision):
    if decision is not None:
        check(3, **decision)
    mlflow.MlflowClient().set_registered_model_alias("m", "champion", "3")
    assert sync("m") == []
    assert "champion" not in find_aliases("m") and stages_in_mlflow()[3] != "production"
    assert "m: version 3 had the alias champion, but nobody promoted it" in capsys.readouterr().err
    check(1)
    assert promote("m", 1, "it passed")[-1].version == 1


@pytest.mark.parametrize(
    ("number", "tags"),
    [
        (1, {"who": "nobody"}),
        (2, {"why": "because"}),
        (2, {"when": "2020-01-01T00:00:00Z"}),
        (2, {"version": "4"}),
        (3, {"metrics": '{"roc_auc": 0.99}'}),
        (3, {"after": "1"}),
        (3, {"after": "9"}),
        (3, {"kind": "rollback"}),
        (2, {"digest": "0" * 64}),
    ],
)
def test_an_edited_entry_of_the_history_is_noticed(store, number, tags):
    promote_in_turn(1, 2, 3)
    assert len({entry.digest for entry in history("m")}) == 3
    for key, value in tags.items():
        mlflow.MlflowClient().set_model_version_tag("m-promotions", str(number), key, value)
    for command in (history, sync, list_models):
        with pytest.raises(RegistryError, match=rf"entry {number} was edited after it was written\. Restore MLflow's"):
            command("m")


def test_an_entry_that_lost_its_hash_is_noticed_and_entries_from_before_there_were_hashes_are_not(store):
    client = mlflow.MlflowClient()
    promote_in_turn(1, 2)
    client.delete_model_version_tag("m-promotions", "1", "digest")
    assert [entry.version for entry in history("m")] == [1, 2]
    client.set_model_version_tag("m-promotions", "1", "why", "edited")
    with pytest.raises(RegistryError, match="entry 2 was edited"):
        history("m")
    client.set_model_version_tag("m-promotions", "1", "why", "better than None")
    check(3, champion=2)
    promote("m", 3, "next")
    client.delete_model_version_tag("m-promotions", "3", "digest")
    with pytest.raises(RegistryError, match="entry 3 was edited"):
        history("m")


def test_deleted_champion_and_deleted_entry_are_said(store):
    promote_in_turn(1, 2, 3)
    client = mlflow.MlflowClient()
    client.delete_model_version("m", "3")
    with pytest.raises(RegistryError, match=r"version 3, the champion, was deleted\. `make rollback`"):
        sync("m")
    client.delete_model_version("m", "2")
    assert rollback("m", "it is gone")[-1].version == 1
    assert replay(history("m")) == [1]
    client.delete_model_version("m-promotions", "2")
    with pytest.raises(RegistryError, match="m-promotions: entry 2 was deleted"):
        sync("m")
    client.delete_registered_model("m-promotions")
    assert sync("m")[0].version == 1


def test_stages(store):
    promote_in_turn(1, 2)
    check(3, champion=2)
    assert promote("m", 3, "wait for the owner", to="staging")[-1].version == 2
    assert stages_in_mlflow() == {1: "archived", 2: "production", 3: "staging", 4: "development"}
    assert find_aliases("m") == {"champion": 2, "challenger": 3, "staging": 3}
    promote("m", 3, "the owner agrees")
    assert find_aliases("m") == {"champion": 3, "challenger": 3}
    check(4, champion=3, refused=["roc_auc 0.7500 is not 0.001 above champion"])
    sync("m")
    assert stages_in_mlflow() == {1: "archived", 2: "archived", 3: "production", 4: "development"}
    rollback("m", "no")
    assert stages_in_mlflow() == {1: "archived", 2: "production", 3: "archived", 4: "development"}


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (None, "the gate has not checked version 2. Check out its commit"),
        ({"refused": ["roc_auc is worse"]}, "the gate refused version 2:\n- roc_auc is worse"),
        ({"refused": ["roc_auc is worse"], "points": []}, "- roc_auc is worse"),
        ({"points": [{"passed": False, "message": "too slow"}]}, "- too slow"),
        ({"points": []}, "- the decision has no points: nothing was checked"),
        ({"points": [{"passed": "no", "message": "too slow"}]}, "- too slow"),
        ({"champion": None}, "version 2 was checked when there was no champion; version 1 is champion now"),
        ({"champion": 3}, "version 2 was checked against version 3; version 1 is champion now"),
    ],
)
def test_a_version_that_did_not_pass_is_refused(store, decision, said):
    promote_in_turn(1)
    if decision is not None:
        check(2, **({"champion": 1} | decision))
    for to in ("production", "staging"):
        with pytest.raises(RegistryError) as error:
            promote("m", 2, "I like it", to=to)
        assert said in str(error.value)
    assert len(history("m")) == 1
    assert "staging" not in find_aliases("m")


def test_what_cannot_be_promoted_is_said(store):
    promote_in_turn(1, 2)
    rollback("m", "slow")
    for version, said in ((9, "m has no version 9; there is 1, 2, 3, 4"), (1, "champion already"), (2, r"\(slow\)")):
        with pytest.raises(RegistryError, match=said):
            promote("m", version, "because")
    with pytest.raises(RegistryError, match="There must be a reason"):
        promote("m", 1, "  ")
    with pytest.raises(RegistryError, match="TO is 'live'"):
        promote("m", 1, "because", to="live")


def test_tables_fit_the_page_and_keep_every_reason(store):
    promote_in_turn(1, 2)
    check(3, champion=2, refused=["roc_auc 0.7500 is not 0.001 above version 2 with 0.7530", "ece 0.2 is above 0.05"])
    rollback("m", "because " * 30)
    versions, entries = list_models("m")
    table, log = show_versions(versions), show_history(entries)
    assert max(map(len, [*table.splitlines(), *log.splitlines()])) <= 120
    assert log.count("because") == 30
    line = next(line for line in table.splitlines() if line.split()[0] == "1")
    assert line.split()[1:3] == ["production", "champion"]
    for number, verdict in enumerate(["passed", "rolled back", "refused by gain, gain", "not checked"], 1):
        assert re.search(rf"^ +{number} .* {verdict}$", table, re.MULTILINE)
