"""A real image registry on loopback: Debian's docker-registry as a process of ours.

It can be stopped and started again on the same port and the same storage, which is how a test sees a registry that is
down. It takes no password and speaks plain HTTP, which an engine accepts from 127.0.0.0/8 alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import yaml

from sutazai_ops.engines.daemons import free_port

STARTS_WITHIN_SECONDS = 20
STOPS_WITHIN_SECONDS = 20


class Registry:
    """One registry: `address` is how an engine of this machine names it, such as 127.0.0.1:35001."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """It keeps its storage, its configuration and its log in `folder`, and takes a free port if none is given."""
        self.folder = folder
        self.address = f"127.0.0.1:{port or free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "storage")}, "delete": {"enabled": True}},
            "http": {"addr": self.address},
        }
        file = self.folder / "registry.yml"
        file.write_text(yaml.safe_dump(configuration))
        with (self.folder / "registry.log").open("ab") as log:
            # Of a session of its own: an interrupt at the terminal is not for it, and one can leave it running.
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(file)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the registry does not answer; its log is {self.folder / 'registry.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it. What it holds stays for the next start."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOPS_WITHIN_SECONDS)
        self.process = None

    def answers(self) -> bool:
        """Whether it answers as a registry."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False


def copy_storage(source: Path, target: Path) -> None:
    """Give `target` what the registry in `source` holds, without copying the layers: those never change."""
    if not (source / "storage").is_dir():
        return

    def copy(from_file: str, to_file: str) -> None:
        # Tags are rewritten in place, layers are not.
        if Path(from_file).name == "data":
            try:
                os.link(from_file, to_file)
            except OSError:
                shutil.copy2(from_file, to_file)
        else:
            shutil.copy2(from_file, to_file)

    shutil.copytree(source / "storage", target / "storage", copy_function=copy)
