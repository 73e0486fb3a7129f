"""Secrets in addresses: find them, mask them. The one place that knows what in a URL is secret."""

import os
import re
from urllib.parse import unquote_plus

__all__ = ["QUERY", "REMEDY", "TOKEN", "add_query", "find_secret", "mask_addresses", "mask_page", "mask_values"]

QUERY = "HTTP_QUERY"  # the environment variable with the secret part of a web address
REMEDY = (
    "It would go to git, reports and MLflow. Take it out; set the environment variable DATABASE_PASSWORD or HTTP_PASSWORD "
    f"to a password, and {QUERY} to what follows the `?` of a signed web address. If it was committed, revoke it."
)

MASK = "***"
# The name of a parameter whose value is secret, as in `?sig=`, `&X-Amz-Signature=`, `#access_token=`.
SECRET_NAME = re.compile(
    r"passw|pwd$|secret|^(?!.*(page|next|continuation)[_-]?token$).*token$|^(sig|signature|jwt|auth|authorization|sas)$|"
    r"-signature$|-credential$|api[_-]?key|apikey|access[_-]?key|account[_-]?key|subscription[_-]?key|"
    r"shared[_-]?access|^credentials?$",
    re.IGNORECASE,
)
# What a token looks like wherever it stands. scaffold/leaks.py looks for the same forms in all files.
TOKEN = re.compile(
    r"(?:(?<![\w+/-])|(?<=//))(?:"
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}|"
    r"sk-(?:ant|proj|svcacct)-[\w-]{20,}|AIza[\w-]{35}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|"
    r"dapi[0-9a-f]{32}|pypi-[\w-]{50,}|npm_[A-Za-z0-9]{36}|dop_v1_[0-9a-f]{64}|ya29\.[\w-]{20,}"
    r")"
)
# User, colon, anything up to the last @ before a blank: what stands before the colon is no host, for no port follows.
LOGIN = re.compile(r"://([^/?#:@\[\s]{0,200}):(?![0-9]{1,9}(?:[/?#]|$))[^\s\"'<>]{0,300}@")
PARAMETER = re.compile(r"([?&;#])([^=&;#?\s]{1,100})=([^&;#\s\"'<>)\]}]*)")
# In a page, where an embedded script may have `;auth=e`: from the colon up to where a blank, a quote or a tag ends it.
ADDRESS = re.compile(r"://[^\s\"'`<>]+")
PLACEHOLDER = re.compile(r"\*+|[<{$].*|\.{3}|x{3,}", re.IGNORECASE)  # no value, but where one would stand


def find_secret(text: str) -> str | None:
    """Return what in the addresses of `text` is secret, in words and without the value; None if nothing is.

    Found are a password (`://user:password@`), a token as the user's name, parameters whose name tells that the value is
    secret (`sig`, `X-Amz-Signature`, `access_token`, also percent-encoded), and values with the form of a known token.
    """
    if "://" not in text:
        return None
    if (login := LOGIN.search(text)) and not PLACEHOLDER.fullmatch(login[0].rpartition(":")[2][:-1]):
        return "a password"
    for found in PARAMETER.finditer(text):
        if _is_secret(found[2], found[3]):
            name = unquote_plus(found[2])
            return f"a {'password' if 'pass' in name.lower() else 'secret'} (`{name}=`)"
    return "a token" if TOKEN.search(text) else None


def mask_addresses(text: str) -> str:
    """Return `text` with `***` for each password, secret parameter and token in it; anything else is unchanged."""
    if "://" in text:
        text = LOGIN.sub(rf"://\1:{MASK}@", text)
        text = PARAMETER.sub(
            lambda found: f"{found[1]}{found[2]}={MASK}" if _is_secret(found[2], found[3]) else found[0], text
        )
    return TOKEN.sub(MASK, text)


def mask_page(text: str) -> str:
    """Return HTML or Markdown with the addresses in it masked, and known tokens; scripts and styles still work."""
    return TOKEN.sub(MASK, ADDRESS.sub(lambda found: mask_addresses(found[0]), text))


def mask_values(value: object) -> object:
    """Return a parameter, a list or a dictionary of them, with all addresses masked."""
    if isinstance(value, str):
        return mask_addresses(value)
    if isinstance(value, dict):
        return {key: mask_values(one) for key, one in value.items()}
    return [mask_values(one) for one in value] if isinstance(value, list | tuple) else value


def add_query(url: str) -> str:
    """Return a web address with the parameters of the environment variable HTTP_QUERY (`sig=...&se=...`), if it is set."""
    if not (query := os.environ.get(QUERY, "").lstrip("?&")):
        return url
    address, hash_, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{query}{hash_}{fragment}"


def _is_secret(name: str, value: str) -> bool:
    if not value or PLACEHOLDER.fullmatch(value):
        return False
    return bool(SECRET_NAME.search(unquote_plus(name)) or TOKEN.search(value))
