"""Tell people by a webhook: one POST of JSON to NOTIFY_URL."""

import os
import time
from urllib.parse import urlsplit

import requests

from ..project.addresses import mask_addresses
from ..project.errors import StepError

__all__ = ["notify"]

SECONDS, TRIES, PAUSE = 10, 3, 1.0
MOST_LETTERS = 3000  # of a text: Slack cuts longer ones
FORMATS = ("json", "slack")


def notify(title: str, text: str, **facts: object) -> None:
    """Send a message to the address in NOTIFY_URL.

    The body is {"title", "text"} and the facts. With NOTIFY_FORMAT=slack, and for hooks.slack.com, it is {"text"} as Slack and
    Mattermost take it. Secrets in addresses are masked; the webhook's own address, which is a secret too, is in no message.

    Parameters
    ----------
    facts : JSON values
        For programs that read the message.

    Raises
    ------
    StepError
        NOTIFY_URL is not set or no web address, NOTIFY_FORMAT is unknown, or the server does not take the message.
    """
    url = os.environ.get("NOTIFY_URL", "")
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise StepError(
            "NOTIFY_URL is not set to a web address. Set it to that of a webhook: export NOTIFY_URL=https://..."
        )
    form = os.environ.get("NOTIFY_FORMAT") or ("slack" if place.hostname == "hooks.slack.com" else "json")
    if form not in FORMATS:
        raise StepError(f"NOTIFY_FORMAT is {form!r}; it must be one of {', '.join(FORMATS)}.")
    title, text = mask_addresses(title), mask_addresses(text)
    text = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..."
    body = {"text": f"*{title}*\n{text}"} if form == "slack" else {"title": title, "text": text, **facts}
    _send(url, place.hostname, body)


def _send(url: str, host: str, body: dict) -> None:
    """Post the message; again if the server cannot be reached or is out of order."""
    for left in range(TRIES - 1, -1, -1):
        try:
            answer = requests.post(url, json=body, timeout=SECONDS, allow_redirects=False)
            reason, again = f"{answer.status_code} {answer.reason}", answer.status_code >= 500
            if 200 <= answer.status_code < 300:
                return
        except requests.RequestException as error:  # its text has the address
            reason, again = type(error).__name__, True
        if not again or not left:
            raise StepError(f"the webhook at {host} (NOTIFY_URL) did not take the message: {reason}.")
        time.sleep(PAUSE)
