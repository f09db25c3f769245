"""What a baseline asks: `baseline.yaml` beside the platform's files, with a file of the user's own laid over it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.monitoring.entries import read_entries
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.monitoring.entries import Entry
    from sutazai_ops.platform import Platform, Service

FILE = "baseline.yaml"
PAGE = "docs/baseline.md"
EVERYTHING = "all"
"""The name under which all kinds of requests are taken together."""


def _each(value: object) -> object:
    return (value,) if isinstance(value, int) else value


class Asked(Model):
    """One kind of request."""

    name: str
    service: str
    """Whom."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Of the service; that of its first probe over HTTP if None."""
    method: Literal["GET", "POST", "PUT", "DELETE", "HEAD"] = "GET"
    path: Annotated[str, Field(pattern="^/")] = "/"
    body: Any = None
    """Sent as JSON."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    weight: int = Field(default=1, ge=1)
    """How often it comes beside the others."""
    status: Annotated[tuple[int, ...], BeforeValidator(_each)] = (200,)
    """The answers that are right."""


class Script(Model):
    """All kinds of requests, in the order of the file."""

    requests: tuple[Asked, ...]

    @property
    def digest(self) -> str:
        """What tells one script from another: baselines of different ones are not compared."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def read_script(platform: Platform, over: Path | None = None) -> Script:
    """Read what is asked of a platform.

    Raises:
        BadInput: for whatever is wrong, with file, line and key; and where there is nothing to ask.
    """
    own = platform.folder / FILE
    files = [file for file in (own if own.is_file() else None, over) if file is not None]
    if not files:
        raise BadInput(
            "nothing says what a baseline asks",
            where=str(own),
            remedy=f"write that file, or name another as the setting baseline.requests; {PAGE} shows one",
        )
    entries = read_entries(files[0], files[1] if len(files) > 1 else None, PAGE)
    requests = tuple(_read(entry, platform) for entry in entries.values())
    if not requests:
        raise BadInput("nothing is left to ask", where=str(files[-1]), remedy=f"add a request; {PAGE} shows one")
    return Script(requests=requests)


def _read(entry: Entry, platform: Platform) -> Asked:
    if entry.name == EVERYTHING:
        raise entry.refuse(f"{EVERYTHING} is the name of all requests together", remedy="call it something else")
    asked = entry.as_model(Asked, "request")
    if asked.service not in platform.services:
        raise entry.refuse(
            f"there is no service {asked.service!r} in the platform that could be asked",
            "service",
            remedy=nearest(asked.service, platform.services) or "sutazai-ops status shows them",
        )
    port = asked.port or _web_port(platform.services[asked.service])
    if port is None:
        raise entry.refuse(
            f"at which port {asked.service} answers is not known: none of its probes asks over HTTP",
            "service",
            remedy="add port:",
        )
    return asked.model_copy(update={"port": port})


def _web_port(service: Service) -> int | None:
    ports = (probe.port for probe in service.probes if probe.kind == "http" and probe.through is None)
    return next((port for port in ports if port is not None), None)
