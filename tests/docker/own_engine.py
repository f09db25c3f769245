"""A Docker engine of a test's own, beside the one that all share: it can be stopped, killed and filled up.

It has its own data, socket and process number, and a network namespace of its own: on the other one's network it would
take that one's default bridge away, be it told to have none or another. It holds one image, `tiny`, of a shell and a
web server.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path

import docker
from build import build

STARTS_WITHIN_SECONDS = 30
TINY = "tiny:1.0"
APPLETS = ("sh", "sleep", "httpd", "echo", "true", "false")
FILES = (
    "/usr/bin/busybox",
    "/lib/x86_64-linux-gnu/libresolv.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
)
"""What busybox of our image of that name needs to run."""


class OwnEngine:
    """One engine; `host` is what `DOCKER_HOST` says to reach it."""

    def __init__(self, folder: Path, data: Path) -> None:
        """`folder` is for its state, `data` for images and containers."""
        self.folder, self.data = folder, data
        # A socket's path may not be longer than about a hundred characters, as those of pytest are.
        self.socket = Path(f"/run/{folder.name}-{os.getpid()}.sock")
        self.run = Path(f"/run/{self.socket.stem}")
        self.host = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "daemon.json").write_text("{}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "--data-root": self.data,
            "--exec-root": self.run,
            "--pidfile": self.folder / "pid",
            "--config-file": self.folder / "daemon.json",
            "--default-address-pool": "base=10.214.0.0/16,size=24",
        }
        flags = ["--iptables=false", "--ip6tables=false", "--ip-masq=false"]
        apart = ["unshare", "--net"]
        command = [
            *apart,
            "dockerd",
            "-H",
            self.host,
            *flags,
            *(str(word) for pair in options.items() for word in pair),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; its containers end with it."""
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(60)
        (self.folder / "pid").unlink(missing_ok=True)
        self.process = None

    def remove(self) -> None:
        """End it and everything in it; only its data stays."""
        if self.process is not None:
            client = self.client()
            for container in client.containers.list(all=True):
                container.remove(force=True, v=True)
            client.close()
        self.stop()
        # A killed engine leaves its mounts.
        subprocess.run(["umount", "-q", "-R", str(self.run), str(self.data)], check=False, capture_output=True)
        for folder in (self.run, self.folder):
            shutil.rmtree(folder, ignore_errors=True)
        self.socket.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Whether it answers."""
        command = ["docker", "-H", self.host, "info"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def client(self) -> docker.DockerClient:
        """A client of it."""
        return docker.DockerClient(self.host)

    def load(self, shared: docker.DockerClient) -> None:
        """Give it the image `tiny`, made of a few files of an image of the shared engine."""
        image = tiny(shared)
        subprocess.run(["docker", "-H", self.host, "import", "-", TINY], input=image, check=True, capture_output=True)


def tiny(shared: docker.DockerClient) -> bytes:
    """A root folder of some three megabytes, packed."""
    packed = io.BytesIO()
    source = shared.containers.create(build(shared, "busybox"))
    try:
        with tarfile.open(fileobj=packed, mode="w") as root:
            for folder in ("bin", "tmp", "etc"):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
                root.addfile(entry)
            for file in FILES:
                content = _file(source, file)
                entry = tarfile.TarInfo(file.removeprefix("/"))
                entry.mode, entry.size = 0o755, len(content)
                root.addfile(entry, io.BytesIO(content))
            for applet in APPLETS:
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "/usr/bin/busybox"
                root.addfile(entry)
    finally:
        source.remove()
    return packed.getvalue()


def _file(container: docker.models.containers.Container, path: str) -> bytes:
    """A file of a container; where it is a link, what it leads to."""
    chunks, facts = container.get_archive(path)
    if facts["linkTarget"]:
        return _file(container, facts["linkTarget"])
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        assert member is not None
        return member.read()
