"""A real Prometheus for tests: Debian's programs, unpacked and not installed, and a server on a data folder.

The package is taken from the machine's own apt sources and unpacked into the user's cache; no service is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import requests

from sutazai_ops.engines.daemons import free_port

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sutazai-test-prometheus"


@cache
def program(name: str) -> Path | None:
    """`prometheus` or `promtool`: of the PATH, of the cache, or out of Debian's package; None where none can be had."""
    if found := shutil.which(name):
        return Path(found)
    cached = CACHE / "usr" / "bin" / name
    if not cached.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        _unpack()
    return cached if cached.exists() else None


def _unpack() -> None:
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, check=False)
        packages = list(Path(folder).glob("*.deb"))
        if got.returncode == 0 and packages:
            CACHE.parent.mkdir(parents=True, exist_ok=True)
            # Beside and renamed, so that two test runs at once do not see half of it.
            made = Path(tempfile.mkdtemp(dir=CACHE.parent))
            subprocess.run(["dpkg", "-x", packages[0], made], check=True, capture_output=True)
            if not CACHE.exists():
                made.rename(CACHE)
            else:
                shutil.rmtree(made)


@contextmanager
def running(data: Path, *options: str, config: str = "", rules: Sequence[Path] = ()) -> Iterator[str]:
    """A Prometheus on a data folder, and its address."""
    binary = program("prometheus")
    assert binary
    file = data.parent / "prometheus.yml"
    listed = "".join(f"  - {rule}\n" for rule in rules)
    file.write_text(config or "global: {scrape_interval: 15s}\n" + (f"rule_files:\n{listed}" if rules else ""))
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = (data.parent / "prometheus.log").open("wb")
    process = subprocess.Popen(
        [
            binary, f"--config.file={file}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=10y", *options,
        ],
        stdout=log,
        stderr=log,
    )  # fmt: skip
    try:
        _wait(address, process, data.parent / "prometheus.log")
        yield address
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
        try:
            if requests.get(f"{address}/-/ready", timeout=2).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise TimeoutError(log.read_text()[-2000:])
