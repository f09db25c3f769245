"""Asks another service over HTTP."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

BACKEND_URL = os.environ.get("BACKEND_URL", "http://backend:8000")


def ask(url: str, body: dict[str, object] | None = None, *, method: str | None = None, seconds: float = 30) -> Any:
    """The JSON that `url` answers. Raises `OSError` with what it said otherwise."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise OSError(f"{url} answered {error.code}: {error.read(200).decode(errors='replace')}") from None
