"""Sources that are servers: PostgreSQL, HTTP and S3 really run, on this machine only."""

import base64
import gzip
import json
import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote

import boto3
import pytest
from baked import Project, bake_into
from moto.server import ThreadedMotoServer

pytestmark = pytest.mark.full

PASSWORD = "s3cr3t-and-Ünïque/@:"
CSV = "id;größe\n007;1,5\n008;\n"
ROWS = [["007", "1,5"], ["008", None]]
READ = """
import json, sys
from stagebook.data.reading.sources import load_source
from stagebook.data.tables import write_table
from stagebook.project.errors import DataError
try:
    frame, facts = load_source(sys.argv[1], **json.loads(sys.argv[2]))
except DataError as error:
    sys.exit(f"ERROR: {error}")
write_table(frame, "data/raw/table.parquet")
types = {name: str(kind) for name, kind in frame.dtypes.items()}
rows = frame.head(3).astype(object).where(frame.notna(), None).to_numpy().tolist()
print(json.dumps({"rows": rows, "types": types, "facts": facts}, default=str))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A project that can read from S3."""
    answers = {"data": "own", "data_path": "https://127.0.0.1/x.csv", "target": "y", "project_slug": "sources"}
    project = bake_into(tmp_path_factory.mktemp("sources"), remote="s3", **answers)
    project.run("make", "setup")
    return project


def read(project: Project, path: str, env: dict | None = None, **how: str) -> dict:
    """Read a source in the project's environment."""
    return json.loads(project.run("python", "-c", READ, path, json.dumps(how), **(env or {})).stdout)


def refused(project: Project, path: str, env: dict | None = None, **how: str) -> str:
    """Read a source, expect an error without traceback and without the password, and return it."""
    result = project.run("python", "-c", READ, path, json.dumps(how), ok=False, **(env or {}))
    said = result.stdout + result.stderr
    assert said.startswith("ERROR: ")
    assert PASSWORD not in said
    return said


TABLE = """
create schema "Sales Data";
create table "Sales Data".orders (
    id bigint primary key, big bigint, price numeric(10, 2), at timestamptz, day date, paid boolean, tags text[], more jsonb,
    name text, wait interval, code uuid, raw bytea);
insert into "Sales Data".orders values
    (2, null, null, null, null, null, null, null, null, null, null, null),
    (1, 9007199254740993, 12.50, '2024-01-01 00:30+02', '2024-01-01', true, '{a,b}', '{"k": 1}', 'ä%:x', '90 s',
     '00000000-0000-0000-0000-000000000001', 'ab');
create table many as select i as id, 'row ' || i as name from generate_series(1, 250000) i;
create user "reader@home" password 'PASSWORD';
grant usage on schema "Sales Data" to "reader@home";
grant select on all tables in schema public, "Sales Data" to "reader@home";
"""


@pytest.fixture(scope="module")
def database(postgres):
    """The address of a database for a user who may only read."""
    postgres.execute(TABLE.replace("PASSWORD", PASSWORD))
    return f"postgresql://reader%40home@{postgres.address}/postgres"


def test_postgres_table_keeps_its_types(project, database):
    found = read(project, database, {"DATABASE_PASSWORD": PASSWORD}, query="Sales Data.orders")
    first, second = found["rows"]
    assert first == [
        1, "9007199254740993", 12.5, "2023-12-31 22:30:00", "2024-01-01 00:00:00", "true", '["a", "b"]', '{"k": 1}',
        "ä%:x", 90.0, "00000000-0000-0000-0000-000000000001", "ab",
    ]  # fmt: skip
    assert second == [2] + [None] * 11
    assert found["types"]["id"] == "int64"
    assert found["facts"]["query"] == "Sales Data.orders"
    assert PASSWORD not in json.dumps(found["facts"])


def test_postgres_select_of_many_rows(project, database):
    query = "select id, name from many where name like 'row %' and name <> 'a:b' order by id::text;"
    found = read(project, database, {"DATABASE_PASSWORD": PASSWORD}, query=query)
    assert found["facts"]["rows"] == 250000
    assert found["rows"][:2] == [[1, "row 1"], [10, "row 10"]]
    assert read(project, f"{database}#many", {"DATABASE_PASSWORD": PASSWORD})["facts"]["query"] == "many"


def test_postgres_says_what_is_wrong(project, database):
    right = {"DATABASE_PASSWORD": PASSWORD}
    assert "the environment variable DATABASE_PASSWORD right?" in refused(project, database, {"DATABASE_PASSWORD": "x"})
    assert "the environment variable DATABASE_PASSWORD right?" in refused(project, database)
    assert "has no table 'none'" in refused(project, database, right, query="none")
    assert 'column "nothing" does not exist' in refused(project, database, right, query="select nothing from many")
    assert "the database says" in refused(project, re.sub(r":\d+/", ":9/", database), right, query="many")
    assert "there is a password in this address" in refused(project, database.replace("@127", ":x@127"))


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and what is below /private/ only to who knows the password."""

    def do_GET(self):
        login = base64.b64encode(f"me:{PASSWORD}".encode("latin-1")).decode()
        if self.path.startswith("/private/") and self.headers.get("Authorization") != f"Basic {login}":
            self.send_error(401)
        elif self.path.startswith("/signed") and not self.path.endswith(f"?sig={quote(PASSWORD)}"):
            self.send_error(403)
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/t.csv")
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(CSV.encode())
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """The address of a web server, without the scheme."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "private").mkdir()
    for name, content in {
        "t.csv": CSV.encode("cp1252"), "t.csv.gz": gzip.compress(CSV.encode()), "private/t.csv": CSV.encode(),
        "signed.csv": CSV.encode(),
        "download": CSV.encode("utf-16"), "page": b"<!doctype html><html></html>",
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["t.csv", "t.csv.gz", "download?id=abc", "moved"])
def test_web_address(project, web, path):
    found = read(project, f"http://{web}/{path}")
    assert found["rows"] == ROWS
    assert found["facts"]["origin"] == f"http://{web}/{path}"
    assert len(found["facts"]["sha256"]) == 64


def test_web_address_with_a_login(project, web):
    assert read(project, f"http://me@{web}/private/t.csv", {"HTTP_PASSWORD": PASSWORD})["rows"] == ROWS
    assert "401" in refused(project, f"http://me@{web}/private/t.csv", {"HTTP_PASSWORD": "x"})
    assert "HTTP_PASSWORD" in refused(project, f"http://me:x@{web}/private/t.csv")


def test_signed_web_address_has_its_signature_from_the_environment(project, web):
    found = read(project, f"http://{web}/signed.csv", {"HTTP_QUERY": f"sig={quote(PASSWORD)}"})
    assert found["rows"] == ROWS
    assert found["facts"]["origin"] == f"http://{web}/signed.csv"
    assert "HTTP_QUERY" in refused(project, f"http://{web}/signed.csv")
    assert "HTTP_QUERY" in refused(project, f"http://{web}/signed.csv?sig={quote(PASSWORD)}")


@pytest.mark.parametrize(
    ("path", "words"), [("none.csv", "404"), ("cut", "cannot be fetched"), ("page", "it is a web page")]
)
def test_web_address_that_gives_no_table(project, web, path, words):
    assert words in refused(project, f"http://{web}/{path}")


@pytest.fixture(scope="module")
def bucket():
    """The environment of who may read the bucket `tables` of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    store = boto3.client(
        "s3", endpoint_url=env["AWS_ENDPOINT_URL"], aws_access_key_id="id", aws_secret_access_key="secret",
        region_name="us-east-1",
    )  # fmt: skip
    store.create_bucket(Bucket="tables")
    store.put_object(Bucket="tables", Key="in/t.csv.gz", Body=gzip.compress(CSV.encode()))
    yield env | {"AWS_DEFAULT_REGION": "us-east-1"}
    server.stop()


def test_object_store(project, bucket):
    found = read(project, "s3://tables/in/t.csv.gz", bucket)
    assert found["rows"] == ROWS
    assert found["facts"]["origin"] == "s3://tables/in/t.csv.gz"
    assert "it is missing" in refused(project, "s3://tables/in/none.csv", bucket)
    assert "s3://no-such-bucket/t.csv: " in refused(project, "s3://no-such-bucket/t.csv", bucket)
