"""The one way in which this program speaks HTTP: with a time-out over the whole answer, and no more of it than is read.

Nothing is followed elsewhere: a redirect is an answer like any other, because a probe that ends at a login page on
another host has not reached its service.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 64 * 1024
"""Bytes of an answer that are read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str
    """At most 64 KiB of it."""
    headers: Mapping[str, str]
    """By name; letters' case does not matter."""


def get(url: str, *, seconds: float) -> Answer:
    """Ask for a URL.

    Args:
        url: an http or https URL without a password.
        seconds: for all of it; a server that trickles its answer is cut off then.

    Raises:
        Unreachable: when there is no whole answer in that time.
    """
    import requests

    deadline = time.monotonic() + seconds
    try:
        with requests.get(url, timeout=seconds, stream=True, allow_redirects=False) as response:
            body = b""
            for chunk in response.iter_content(4096):
                body += chunk
                if len(body) >= LARGEST:
                    break
                if time.monotonic() > deadline:
                    raise Unreachable(f"{url} was still answering after {seconds:g} s")
            return Answer(response.status_code, body[:LARGEST].decode(errors="replace"), response.headers)
    except requests.Timeout:
        raise Unreachable(f"{url} did not answer in {seconds:g} s") from None
    except requests.RequestException as error:
        raise Unreachable(f"{url} does not answer: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The last cause, which says what happened; the others say in which library."""
    while error.__context__ is not None and isinstance(error.__context__, Exception):
        error = error.__context__
    return str(getattr(error, "strerror", None) or error)
