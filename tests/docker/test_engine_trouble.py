"""An engine that is restarted, killed or full in the middle of a deployment: one sentence, and the next one converges.

The engine is one of the test's own, so that nobody else's is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pytest
from own_engine import OwnEngine
from projects import SERVICE_LABEL, eventually

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dockerd"), reason="needs root and dockerd"),
]

CORE = """
services:
  store:
    image: tiny:1.0
    command: sleep 86400
    init: true
    environment: {{ROUND: "{round}"}}
    healthcheck: {{test: [CMD, sleep, "2"], interval: 1s, timeout: 10s}}
  page:
    image: tiny:1.0
    command: sh -c 'echo open > /tmp/index.html; exec httpd -f -p 8080 -h /tmp'
    init: true
    environment: {{ROUND: "{round}"}}
    depends_on: {{store: {{condition: service_healthy}}}}
"""


class House:
    """A platform on an engine of its own."""

    def __init__(self, folder: Path, engine: OwnEngine) -> None:
        self.platform, self.home, self.engine = folder / "platform", folder / "home", engine
        self.platform.mkdir()
        self.write(0)

    def write(self, round_: int) -> None:
        (self.platform / "core.yaml").write_text(CORE.format(round=round_))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SUTAZAI_")},
            "DOCKER_HOST": self.engine.host,
            "SUTAZAI_HOME": str(self.home),
            "SUTAZAI_PLATFORM": str(self.platform),
            "SUTAZAI_ENGINE": "compose",
            "SUTAZAI_DEPLOY__SETTLE_SECONDS": "0.5",
        }
        command = [sys.executable, "-m", "sutazai_ops.cli", *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ops(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        words = process.communicate(timeout=300)
        return process.returncode, "".join(words)

    def ids(self) -> dict[str, str]:
        with_client = self.engine.client()
        try:
            found = with_client.containers.list(all=True, ignore_removed=True)
            return {one.labels[SERVICE_LABEL]: one.id for one in found if SERVICE_LABEL in one.labels}
        finally:
            with_client.close()

    def is_as_meant(self) -> bool:
        return self.ops("plan")[0] == 0 and self.ops("drift")[0] == 0


@contextmanager
def small_disk(mebibytes: float) -> Iterator[Path]:
    """A disk in memory."""
    folder = tempfile.mkdtemp(prefix="sutazai-disk-")
    size = f"size={int(mebibytes * 1024)}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
    try:
        yield Path(folder)
    finally:
        subprocess.run(["umount", "-R", folder], check=True)
        Path(folder).rmdir()


def fill(disk: Path) -> Path:
    """Leave no room on a disk."""
    file = disk / "fill"
    with file.open("wb", buffering=0) as filled, suppress(OSError):
        while True:
            filled.write(b"0" * 4096)
    return file


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, engine_client: docker.DockerClient) -> Iterator[House]:
    """Rolled out once; its engine's data are on a small disk."""
    folder = tmp_path_factory.mktemp("house")
    with small_disk(60) as disk:
        engine = OwnEngine(Path(tempfile.mkdtemp(prefix="sutazai-engine-")), disk / "docker")
        try:
            engine.start()
            engine.load(engine_client)
            one = House(folder, engine)
            code, words = one.ops("deploy", "--yes")
            assert code == 0, words
            yield one
        finally:
            engine.remove()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_engine_that_is_restarted_in_the_middle_is_one_sentence_and_the_next_deployment_converges(
    house: House, how: signal.Signals
):
    before = house.ids()["store"]
    house.write(int(how))
    process = house.start("deploy", "--yes")
    eventually(lambda: house.ids().get("store", before) != before)
    house.engine.stop(how)
    words = process.communicate(timeout=120)[1]
    house.engine.start()
    assert process.returncode == 3
    assert "the engine went away while core was being rolled out" in words
    assert "nothing was taken down; once it answers, deploy again" in words
    assert "Traceback" not in words
    assert set(house.ids()) == {"store", "page"}
    assert house.ops("deploy", "--yes")[0] == 0
    assert house.is_as_meant()


def test_a_full_disk_of_the_engine_is_one_sentence_and_what_ran_runs_on(house: House):
    before = house.ids()
    house.write(100)
    filled = fill(house.engine.data.parent)
    code, words = house.ops("deploy", "--yes")
    filled.unlink()
    assert code == 3
    assert "no space left on device" in words
    assert "make room on the disk that holds Docker's data" in words
    assert house.ids() == before
    assert house.ops("deploy", "--yes")[0] == 0
    assert house.is_as_meant()


def test_a_full_disk_of_our_own_changes_nothing(house: House):
    before = house.ids()
    usual = house.home
    with small_disk(0.6) as disk:
        subprocess.run(["cp", "-a", str(usual), str(disk / "home")], check=True)
        house.home = disk / "home"
        house.write(101)
        filled = fill(disk)
        code, words = house.ops("deploy", "--yes")
        assert code == 3
        assert "No space left on device" in words
        assert "nothing was changed" in words
        assert house.ids() == before
        filled.unlink()
        assert house.ops("deploy", "--yes")[0] == 0
        assert house.is_as_meant()
        subprocess.run(["cp", "-a", f"{house.home}/.", str(usual)], check=True)
        house.home = usual
