"""Bring a source to this machine as a file, wherever it is, without writing a password down."""

import os
import re
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import fsspec
import requests
from urllib3.exceptions import HTTPError

from ...project.addresses import QUERY, add_query, find_secret, mask_addresses
from ...project.errors import DataError
from .limits import check_size, read_limits, write_limited

__all__ = ["check_no_password", "fetch_file", "is_database", "url_scheme"]

DRIVERS = {  # what opens an address, where it does not come with the project
    **dict.fromkeys(("s3", "s3a"), "dvc[s3]"),
    **dict.fromkeys(("gs", "gcs"), "dvc[gs]"),
    **dict.fromkeys(("az", "abfs", "adl"), "dvc[azure]"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
}
CONNECT_SECONDS = 10


def url_scheme(path: str) -> str:
    """Return what stands before `://`, in lower case; "" for a path on this machine."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", path)
    return found[1].lower() if found else ""


def is_database(path: str) -> bool:
    """Tell a SQLAlchemy URL from the address of a file."""
    return url_scheme(path) not in {"", "http", "https", *fsspec.available_protocols()}


def check_no_password(path: str, variable: str) -> None:
    """Refuse an address with a secret in it: params.yaml is in git. `variable` is where a password belongs."""
    if secret := find_secret(path):
        raise DataError(
            f"there is {secret} in this address, which would go to git and to reports. Take it out, and set the environment "
            f"variable {variable} to a password, or {QUERY} to what follows the `?` of a signed web address. "
            "If it was committed, revoke it."
        )


def fetch_file(path: str, base: Path, folder: Path) -> Path:
    """Return the file at `path` (below `base` if it is relative), or a copy in `folder` of what is at an address."""
    scheme = url_scheme(path)
    if not scheme:
        return check_file(path, base)
    check_no_password(path, "HTTP_PASSWORD")
    target = folder / (PurePosixPath(unquote(urlsplit(path).path)).name or "download")
    if scheme in ("http", "https"):
        download_file(path, target)
    else:
        copy_file(path, target)
    return target


def check_file(path: str, base: Path) -> Path:
    """Return the file at `path`; say what is wrong if it cannot be read."""
    file = base / Path(path).expanduser()
    if file.is_dir():
        raise DataError("it is a folder. Name a file in it, in `ingest.path` of params.yaml.")
    if not file.is_file():
        raise DataError(f"there is no file {file.resolve()}. Correct `ingest.path` in params.yaml.")
    if not os.access(file, os.R_OK):
        raise DataError("you may not read it. Its owner can allow it: chmod +r.")
    return file


def download_file(url: str, target: Path) -> None:
    """Copy what a web server gives to `target`. A user in the address logs in with the password in HTTP_PASSWORD."""
    user = urlsplit(url).username
    login = (unquote(user), os.environ.get("HTTP_PASSWORD", "")) if user else None
    try:
        seconds = CONNECT_SECONDS, read_limits()["silent_seconds"]
        address = add_query(re.sub(r"://[^/?#]*@", "://", url))
        as_it_is = {"Accept-Encoding": "identity"}
        with requests.get(address, auth=login, stream=True, timeout=seconds, headers=as_it_is) as answer:
            if not answer.ok:
                refused = f" Are user, HTTP_PASSWORD and {QUERY} right?" if answer.status_code in (401, 403) else ""
                raise DataError(f"the server answers {answer.status_code} {answer.reason}.{refused}")
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            check_size(total, "the file")
            # What is there, not a full piece: a server that sends a byte now and then must not escape the limit.
            read = partial(answer.raw.read1, 1 << 20, decode_content=False)  # unpack_file unpacks
            write_limited(iter(read, b""), target, "the download", total)
    except (requests.RequestException, HTTPError) as error:
        raise DataError(f"it cannot be fetched ({type(error).__name__}). Is the address right?") from None


def copy_file(url: str, target: Path) -> None:
    """Copy a file from an object store or another machine to `target`."""
    scheme = url_scheme(url)
    try:
        system, name = fsspec.core.url_to_fs(url)
        check_size(system.info(name).get("size"), "the file")
        system.get_file(name, str(target))
    except DataError:
        raise
    except ImportError as error:
        driver = DRIVERS.get(scheme)
        add = f'add "{driver}" to `dependencies` in pyproject.toml and run `make setup`' if driver else str(error)
        raise DataError(f"nothing here can read {scheme}://; {add}.") from None
    except FileNotFoundError:
        raise DataError("it is missing. Correct `ingest.path` in params.yaml.") from None
    except Exception as error:  # each store raises its own
        why = mask_addresses(f"{type(error).__name__}: {error}")
        raise DataError(f"it cannot be read ({why}). Are the address and your rights right?") from error
    if not target.is_file():
        raise DataError("it is a folder. Name a file in it, in `ingest.path` of params.yaml.")
