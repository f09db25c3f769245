"""What the tests on a real Docker engine share: the engine, a registry of images, and Compose projects that go away.

Every test that uses these carries the mark `docker`.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import docker
import pytest
from build import CACHE, ImageRegistry, build
from projects import Project
from registry import copy_storage
from shop import Shop

from sutazai_ops.engines.daemons import free_port

FIRST_BUILD_SECONDS = 900
"""The first test waits for whatever image is not built yet, on a slow machine for all of them."""


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.timeout(FIRST_BUILD_SECONDS))


@pytest.fixture(scope="session")
def engine_client() -> Iterator[docker.DockerClient]:
    """The engine that the `docker` command talks to."""
    client = docker.from_env(timeout=600)
    yield client
    client.close()


@pytest.fixture(scope="session")
def registry(engine_client: docker.DockerClient) -> Iterator[ImageRegistry]:
    """A registry of this test run alone. What `tests/images/build.py` pushed before, it holds from the start."""
    # Beside what it shares files with: a hard link cannot leave its disk.
    folder = CACHE / "runs" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    one = ImageRegistry(folder, engine_client)
    try:
        copy_storage(CACHE / "registry", folder)
        one.start()
        yield one
    finally:
        one.stop()
        one.forget()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def image(engine_client: docker.DockerClient) -> Callable[[str], str]:
    """Builds an image of ours by the name of its recipe and returns its reference, for tests without a registry."""
    return lambda name: build(engine_client, name)


@pytest.fixture(scope="module")
def rolled_out(
    tmp_path_factory: pytest.TempPathFactory, registry: ImageRegistry, engine_client: docker.DockerClient
) -> Iterator[Shop]:
    """A shop that was rolled out once; every test leaves it whole."""
    one = Shop(tmp_path_factory.mktemp("shop"), registry, engine_client, free_port())
    try:
        one.deploy()
        yield one
    finally:
        one.remove()


@pytest.fixture
def project(tmp_path: Path, engine_client: docker.DockerClient) -> Iterator[Project]:
    """A Compose project that is removed after the test."""
    one = Project(tmp_path, engine_client)
    yield one
    one.remove()


@pytest.fixture
def secrets(tmp_path: Path) -> Mapping[str, str]:
    """Two passwords by the names of their files, which lie in the `secrets` folder of the test."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    made = {name: uuid.uuid4().hex for name in ("postgres-password", "redis-password")}
    for name, value in made.items():
        (folder / name).write_text(value)
        (folder / name).chmod(0o444)
    return made
