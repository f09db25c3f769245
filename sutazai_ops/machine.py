"""What this machine has of all that the platform needs, what it lacks, and the command that mends it.

Looks only: nothing is installed or started. What could not be found out is unknown, never ok.
"""

from __future__ import annotations

import os
import platform as python_platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.engines import account, toolchain
from sutazai_ops.errors import OpsError, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service

SMALLEST_FREE = 1_000_000_000
"""Bytes. Below this even the demonstration's set and the server that it is restored into have no room."""
DOCKER_SECONDS = 5
"""How long the Docker daemon may take to say its version."""
DAGSTER_FAMILY = ("dagster", "dagster-graphql", "dagster-pipes", "dagster-webserver")
"""These are released together under one number, and must not be mixed."""


class Found(StrEnum):
    """What was found of one thing."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    what: str
    found: Found
    detail: str
    remedy: str = ""
    needed: bool = True
    """Whether this platform cannot do without it."""


def examine(here: Installation) -> list[Finding]:
    """Look at everything, and never raise for what is missing."""
    home, store = here.settings.home, here.settings.backup_store
    return [
        Finding("Python", Found.OK, f"{python_platform.python_version()}, {sys.executable}"),
        _dagster(),
        _account(),
        _writable("home", home),
        _writable("backup store", store),
        _free("disk of home", home),
        _free("disk of store", store),
        *_tools(here),
        _docker(),
    ]


def _dagster() -> Finding:
    versions: dict[str, str] = {}
    for name in DAGSTER_FAMILY:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            return Finding("Dagster", Found.MISSING, f"{name} is not installed", "uv sync")
    if len(set(versions.values())) > 1:
        differing = ", ".join(f"{name} {number}" for name, number in versions.items())
        return Finding("Dagster", Found.MISSING, f"versions that do not fit each other: {differing}", "uv sync")
    return Finding("Dagster", Found.OK, versions["dagster"])


def _account() -> Finding:
    if not account.is_root():
        return Finding("account", Found.OK, f"servers run as user id {os.geteuid()}")
    if shutil.which("setpriv"):
        return Finding("account", Found.OK, f"root; servers run as {account.ACCOUNT}")
    detail = "setpriv: PostgreSQL refuses to run as root, and this gives it another account"
    return Finding("account", Found.MISSING, detail, "apt install util-linux, or do not run this as root")


def _writable(what: str, folder: Path) -> Finding:
    standing = _standing(folder)
    if standing.is_dir() and os.access(standing, os.W_OK | os.X_OK):
        return Finding(what, Found.OK, str(folder))
    setting = "SUTAZAI_HOME" if what == "home" else "SUTAZAI_BACKUP__STORE"
    return Finding(what, Found.MISSING, f"cannot write in {standing}", f"set {setting} to a folder that you may write")


def _free(what: str, folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(_standing(folder)).free
    except OSError as error:
        return Finding(what, Found.UNKNOWN, error.strerror or str(error))
    if free < SMALLEST_FREE:
        return Finding(what, Found.MISSING, f"{human.size(free)} free", f"free {human.size(SMALLEST_FREE)} at least")
    return Finding(what, Found.OK, f"{human.size(free)} free")


def _standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _tools(here: Installation) -> Iterator[Finding]:
    """The programs that each service needs, then all others that a restore could use."""
    if not os.access(_standing(here.settings.home), os.W_OK):
        yield Finding("server tools", Found.UNKNOWN, "the home folder cannot be written, so nothing was looked for")
        return
    for service in here.platform:
        if service.external or service.embedded:
            yield _tools_of(here, service)
    for tools in toolchain.installed(here.settings.home):
        yield Finding(f"{tools.product} {tools.major}", Found.OK, tools.origin, needed=False)


def _tools_of(here: Installation, service: Service) -> Finding:
    what = f"tools for {service.name}"
    try:
        if service.external:
            tools = here.engine.server(service.name).tools()
        elif service.embedded:
            product = service.embedded.server
            tools = toolchain.find(product, toolchain.wheel_major(product) or 0, home=here.settings.home)
    except ToolMissing as error:
        return Finding(what, Found.MISSING, error.what, error.remedy)
    except OpsError as error:
        return Finding(what, Found.UNKNOWN, error.what, error.remedy)
    return Finding(what, Found.OK, f"{tools.product} {tools.major}, {tools.origin}")


def _docker() -> Finding:
    if not shutil.which("docker"):
        return Finding("Docker", Found.MISSING, "not installed; this engine needs none", needed=False)
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=DOCKER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Finding("Docker", Found.UNKNOWN, f"no answer within {DOCKER_SECONDS} s", needed=False)
    if asked.returncode:
        return Finding("Docker", Found.MISSING, "installed, its daemon does not answer; not needed", needed=False)
    return Finding("Docker", Found.OK, f"{asked.stdout.strip()}; this engine needs none", needed=False)
