"""Builds the images that the Docker tests run, and offers them in a registry on loopback under their usual names.

    python tests/images/build.py                  build, start the registry if none runs, push, print what there is
    python tests/images/build.py --platform DIR   the same for another folder of Compose files
    python tests/images/build.py fill             the same, but leave no registry running that did not run before
    python tests/images/build.py stop             stop that registry

Which images are needed is read from the platform's Compose files. An image that is built and pushed already costs
nothing. Needs root (debootstrap), a Docker engine, docker-registry, and the packages of Debian and PyPI.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, ImageNotFound
from recipes import BASE, BOOTSTRAP, ROLES, Recipe, image_of, in_registry, recipe, recipe_for, tag_of
from registry import Registry

from sutazai_ops.errors import OpsError
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sutazai-test-images"
"""Where the registry of the command line keeps its storage, from which those of test runs are copied."""
RUNNING = CACHE / "running.json"


def build(client: docker.DockerClient, name: str) -> str:
    """Build the image called `name` and those it is made from, unless they are there, and return its reference."""
    image = image_of(name)
    try:
        client.images.get(image)
    except ImageNotFound:
        if name == BASE:
            _bootstrap(image)
        else:
            made = recipe(name)
            _build(client, image, build(client, made.parent), made.dockerfile, made)
    return image


def push(
    client: docker.DockerClient,
    registry: str,
    reference: str,
    name: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Push the image that stands for `reference` to the registry, and return where it is there.

    `name` is the recipe where the reference does not give it away. `environment` is set in the image before, so that
    two pushes can differ, as `{"FAULT": "fail"}` makes a broken one. The applications are told their tag as VERSION.

    Raises:
        BadInput: when no image of ours stands for `reference`.
    """
    name = name or recipe_for(reference)
    image = build(client, name)
    environment = ({"VERSION": tag_of(reference) or "latest"} if name in ROLES else {}) | dict(environment or {})
    target = in_registry(reference, registry)
    if environment:
        lines = [f"ENV {key}={json.dumps(value)}" for key, value in environment.items()]
        _build(client, target, image, "\n".join(["ARG PARENT", "FROM $PARENT", *lines]))
    else:
        client.images.get(image).tag(target)
    for line in client.images.push(target, stream=True, decode=True):
        if "error" in line:
            raise RuntimeError(f"cannot push {target}: {line['error']}")
    return target


class ImageRegistry(Registry):
    """A registry that can be given the images of this folder."""

    def __init__(self, folder: Path, client: docker.DockerClient, port: int | None = None) -> None:
        """As any registry; images are built on the engine of `client`."""
        super().__init__(folder, port)
        self.client = client
        self._pushed: set[str] = set()

    def push(self, reference: str, name: str | None = None, environment: Mapping[str, str] | None = None) -> str:
        """Push what stands for `reference`, and return where it is. See `push`."""
        target = push(self.client, self.address, reference, name, environment)
        self._pushed.add(str(self.client.images.get(target).id))
        return target

    def forget(self) -> None:
        """Remove from the engine what was tagged for this registry alone."""
        for image in self.client.images.list():
            for tag in image.tags:
                if tag.startswith(f"{self.address}/"):
                    self._remove(tag)
        for identity in self._pushed:
            try:
                if not self.client.images.get(identity).tags:
                    self._remove(identity)
            except ImageNotFound:
                pass

    def _remove(self, reference: str) -> None:
        try:
            self.client.images.remove(reference, force=True)
        except APIError as error:
            # What another run of tests has running is its to remove, and what it has removed is gone.
            if error.status_code not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise


def references(platform: Path) -> list[str]:
    """The images of the platform's services, each once."""
    return sorted({service.image for service in read_platform(platform) if service.image})


def _bootstrap(image: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        made = subprocess.run([*BOOTSTRAP, str(root)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if made.returncode:
            raise RuntimeError(f"debootstrap failed: {made.stdout.decode()[-2000:]}")
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(["docker", "import", "-", image], stdin=tar.stdout, stdout=subprocess.DEVNULL, check=True)


def _build(client: docker.DockerClient, image: str, parent: str, dockerfile: str, made: Recipe | None = None) -> None:
    """Build `dockerfile` from `parent` with the engine's own builder, which needs no further package."""
    with tempfile.TemporaryDirectory() as folder:
        contents = list(made.contents) if made else []
        if made and made.wheels:
            download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
            subprocess.run([*download, *made.wheels], check=True)
            contents += [(path.name, path) for path in Path(folder).iterdir()]
        try:
            client.images.build(
                fileobj=_context(dockerfile, contents),
                custom_context=True,
                tag=image,
                buildargs={"PARENT": parent},
                network_mode="host",
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            said = "".join(str(line.get("stream", "")) for line in error.build_log)
            raise RuntimeError(f"cannot build {image}: {error}\n{said[-3000:]}") from error


def _context(dockerfile: str, contents: Iterable[tuple[str, Path]]) -> io.BytesIO:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", dereference=True) as tar:
        for name, file in contents:
            if name != "Dockerfile":
                tar.add(file, name, filter=_as_everybody)
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile.encode())
        tar.addfile(member, io.BytesIO(dockerfile.encode()))
    content.seek(0)
    return content


def _as_everybody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the owner and the time of a checkout, by which the engine would take the same content for another."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


def _running() -> dict[str, object] | None:
    """The registry that an earlier call left running: its address and process."""
    try:
        running: dict[str, object] = json.loads(RUNNING.read_text())
        command = Path(f"/proc/{running['pid']}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return running if command.startswith("docker-registr") else None


def _stop() -> None:
    running = _running()
    if running:
        os.kill(int(str(running["pid"])), signal.SIGTERM)
        print(f"stopped the registry at {running['address']}")
    RUNNING.unlink(missing_ok=True)


def _serve() -> str:
    """The address of the registry that runs, started if none does; it outlives this process."""
    running = _running()
    if running:
        return str(running["address"])
    registry = Registry(CACHE / "registry")
    registry.start()
    assert registry.process is not None
    RUNNING.write_text(json.dumps({"address": registry.address, "pid": registry.process.pid}))
    return registry.address


def _push_all(address: str, wanted: Iterable[str]) -> None:
    client = docker.from_env(timeout=600)
    print(f"registry {address}", flush=True)
    for reference in wanted:
        print(push(client, address, reference), flush=True)


def _fill(wanted: Iterable[str]) -> None:
    """Push to the storage that test runs copy, with a registry that is gone again afterwards unless it was there."""
    running = _running()
    if running:
        _push_all(str(running["address"]), wanted)
        return
    registry = ImageRegistry(CACHE / "registry", docker.from_env(timeout=600))
    registry.start()
    try:
        for reference in wanted:
            print(registry.push(reference), flush=True)
    finally:
        registry.stop()
        registry.forget()


def main() -> int:
    """Do what the command line says; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["push", "fill", "stop"], default="push")
    parser.add_argument("--platform", type=Path, default=PACKAGED_PLATFORM)
    parser.add_argument("--also", nargs="*", default=[], metavar="REFERENCE", help="further images to offer")
    asked = parser.parse_args()
    try:
        if asked.what == "stop":
            _stop()
        elif asked.what == "fill":
            _fill([*references(asked.platform), *asked.also])
        else:
            _push_all(_serve(), [*references(asked.platform), *asked.also])
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
