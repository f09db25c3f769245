"""Asks another service over HTTP."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

BACKEND_URL = os.environ.get("BACKEND_URL", "http://backend:8000")


class RefusedError(OSError):
    """It was answered, and not done: asking again changes nothing."""


def ask(url: str, body: dict[str, object] | None = None, *, method: str | None = None, seconds: float = 30) -> Any:
    """The JSON that `url` answers. Raises `RefusedError` with what it said otherwise; `OSError` where it is away."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        said = f"{url} answered {error.code}: {error.read(200).decode(errors='replace')}"
        raise (RefusedError(said) if error.code < 500 else OSError(said)) from None
