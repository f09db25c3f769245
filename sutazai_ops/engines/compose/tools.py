"""The tools of a product that this machine lacks, out of the image that a service of it runs.

Each is a small program in a folder of ours that runs the image's own for as long as it takes. It reaches what a client
on this host reaches, reads the files of our scratch folder, and takes from our environment the variables that libpq
reads, of which none is a secret. So whoever looks for `pg_restore` of a server's very version finds a file of that
name, as everywhere.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from sutazai_ops.engines.base import Tools
from sutazai_ops.engines.compose import daemon
from sutazai_ops.engines.compose.commands import REACHING
from sutazai_ops.errors import ToolMissing
from sutazai_ops.platform.infer import image_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from docker import APIClient

    from sutazai_ops.platform import Product

LIBPQ = (
    "PGHOST", "PGPORT", "PGUSER", "PGPASSFILE", "PGCONNECT_TIMEOUT", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT",
    "PGSSLKEY", "LC_ALL",
)  # fmt: skip
"""What `LocalServer` sets; a variable that is not set is not passed on (docker-run(1), --env)."""
PROGRAMS = {
    "postgres": ("postgres", "initdb", "pg_dump", "pg_dumpall", "pg_restore", "psql"),
    "redis": ("redis-server", "redis-check-rdb", "redis-check-aof"),
    "valkey": ("valkey-server", "valkey-check-rdb", "valkey-check-aof"),
}


def image_of(docker: APIClient, images: Iterable[str], product: Product, major: int) -> str:
    """The image of a product among `images`, which is asked for by its name; one whose tag is of that major first.

    Raises:
        ToolMissing: when none is.
    """
    found: dict[bool, str] = {}
    for image in images:
        with daemon.speaking("cannot look at an image"):
            seen = docker.inspect_image(image)  # type: ignore[no-untyped-call]
        names = [*(seen.get("RepoTags") or ()), *(seen.get("RepoDigests") or ())]
        if any(image_name(name) == product for name in names):
            is_major = any(f"/{product}:{major}" in f"/{name}" for name in names)
            found.setdefault(is_major, image)
    if not found:
        raise ToolMissing(
            f"there are no programs of {product} {major} here, and no service runs an image of it",
            remedy=f"install them, or deploy a service with the image {product}:{major}",
        )
    return found.get(True) or found[False]


def tools_in(image: str, product: Product, major: int, home: Path) -> Tools:
    """The tools of an image, as programs in a folder of `home`, which is `SUTAZAI_HOME`."""
    place = home / "containers" / f"{product}-{major}"
    place.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS[product]:
        text = _script(image, program, home / "scratch")
        file = place / program
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            fresh = place / f".{program}.{os.getpid()}"
            fresh.write_text(text, encoding="utf-8")
            fresh.chmod(0o755)
            fresh.replace(file)
    return Tools(product, major, place, f"the image of a service ({image[:19]})")


def _script(image: str, program: str, scratch: Path) -> str:
    # A tool of ours inherits no environment, so what says where the engine is stands in the program itself.
    reaching = "".join(f"export {name}={shlex.quote(os.environ[name])}\n" for name in REACHING if name in os.environ)
    variables = " ".join(f"--env {name}" for name in LIBPQ)
    run = f"docker run --rm --interactive --network host --user 0 --log-driver none {variables}"
    mount = shlex.quote(f"{scratch}:{scratch}:ro")
    return f'#!/bin/sh\n{reaching}exec {run} --volume {mount} --entrypoint {program} {shlex.quote(image)} "$@"\n'
