"""An engine of the harness's own, in namespaces of its own: what is broken there nobody else uses.

The harness is run once more with its own mounts, network and processes. In them the engine is what stands at
`/run/docker.sock`, so that the platform finds it where it finds any; a file system that is mounted there is seen by its
containers; and when the harness ends, however it does, the kernel ends all of it. Of the shared engine it is given the
images, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import docker
from build import build, references
from chaos_platform import await_true
from recipes import recipe_for

from sutazai_ops.settings import PACKAGED_PLATFORM

WITHIN = "CHAOS_WITHIN"
"""In the environment of the harness within: the folder with the disk of its engine."""
DISK_BYTES = 8_000_000_000
"""Images and volumes take half of it."""
NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation=slave")
SET_UP = """
set -e
ip link set lo up
mount --make-rshared /
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/docker
mount -o loop "$CHAOS_WITHIN/disk" /var/lib/docker
set +e
"$@"
exit $?
"""
"""The shell stays the first process, since it is who buries those whose parent has ended."""
DAEMON_STARTS_SECONDS = 60
LAYER_BYTES = 200_000_000


class Apart:
    """The harness once more, with an engine of its own, until it is taken away."""

    def __init__(self, arguments: Sequence[str], images: Sequence[str]) -> None:
        """Start it; it runs beside whoever made it."""
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-engine-", dir="/var/tmp"))
        with (self._folder / "disk").open("wb") as disk:
            disk.truncate(DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", disk.name], check=True)
        outside = {key: text for key, text in os.environ.items() if key != "DOCKER_HOST"}
        program = [sys.executable, str(Path(sys.argv[0]).resolve()), *arguments]
        self._saved = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
        assert self._saved.stdout is not None
        with self._saved.stdout:
            self.process = subprocess.Popen(
                [*NAMESPACES, "bash", "-c", SET_UP, "chaos", *program],
                env=outside | {WITHIN: str(self._folder)},
                stdin=self._saved.stdout,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The kernel ends all that it started with it.
        for one in (self.process, self._saved):
            one.kill()
            one.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def images_of_the_platform() -> list[str]:
    """The images that its services run, built on the engine that others share."""
    shared = docker.from_env(timeout=600)
    return [build(shared, name) for name in sorted({recipe_for(one) for one in references(PACKAGED_PLATFORM)})]


def is_within() -> bool:
    """Whether this is the harness that has an engine of its own."""
    return WITHIN in os.environ


class Daemon:
    """The Docker daemon of the namespaces; it is given its images once, from standard input."""

    def __init__(self) -> None:
        self.log = Path(os.environ[WITHIN], "daemon.log")
        self.start()
        subprocess.run(["docker", "load", "--quiet"], stdin=sys.stdin, stdout=subprocess.DEVNULL, check=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["dockerd"], stdout=log, stderr=log, start_new_session=True)
        if not await_true(_answers, DAEMON_STARTS_SECONDS):
            sys.exit(f"the engine of this run does not answer:\n{self.log.read_text()[-2000:]}")

    def start_again(self) -> None:
        """End it, as an upgrade of its package does, and its containers with it, and start it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DAEMON_STARTS_SECONDS)
        self.start()

    def load_nameless(self, size: int, age: timedelta) -> None:
        """Load an image of about so many bytes that bears no name, as a build that was repeated leaves it."""
        with subprocess.Popen(["docker", "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as load:
            assert load.stdin is not None
            with tarfile.open(fileobj=load.stdin, mode="w|") as image:
                _write_image(image, size // LAYER_BYTES, datetime.now(UTC) - age)
        assert load.returncode == 0, "the image is not loaded"


def _write_image(image: tarfile.TarFile, layers: int, made: datetime) -> None:
    """One layer of zeros so many times over, each of which is kept: https://github.com/moby/docker-image-spec."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        _add(layer, "filler", bytes(LAYER_BYTES))
    digest = f"sha256:{hashlib.sha256(packed.getbuffer()).hexdigest()}"
    configuration = {
        "created": made.isoformat(), "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest] * layers},
    }  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"] * layers}]
    _add(image, "config.json", json.dumps(configuration).encode())
    _add(image, "layer.tar", packed.getvalue())
    _add(image, "manifest.json", json.dumps(manifest).encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
