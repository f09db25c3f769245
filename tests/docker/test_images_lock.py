"""Digests from a real registry: what a tag stands for, that it was moved, and that the registry is down."""

from __future__ import annotations

import io
import tarfile

import pytest
from registry import Registry

from sutazai_ops.deployment.images import NO_REGISTRY, DockerRegistry, Lock, Move, ask, moved
from sutazai_ops.errors import OpsError
from sutazai_ops.progress import Silent

pytestmark = pytest.mark.docker


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path / "registry")
    registry.start()
    yield registry
    registry.stop()


@pytest.fixture
def push(engine_client, registry):
    pushed = []

    def push(name: str, content: str) -> str:
        """Put a tiny image there, and return its reference."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            file = tarfile.TarInfo("content")
            file.size = len(content)
            archive.addfile(file, io.BytesIO(content.encode()))
        repository = f"{registry.address}/{name}"
        engine_client.api.import_image_from_data(layer.getvalue(), repository=repository, tag="1")
        assert "error" not in engine_client.images.push(repository, tag="1")
        pushed.append(engine_client.images.get(f"{repository}:1").id)
        return f"{repository}:1"

    yield push
    for image in set(pushed):
        engine_client.images.remove(image, force=True)


def test_a_lock_holds_the_digest_by_which_the_engine_pulls_the_very_image(engine_client, push):
    reference = push("one", "first")
    lock = ask([reference], Lock(), DockerRegistry(), Silent()).lock
    pulled = engine_client.images.pull(lock.locked(reference).replace(":1@", "@"))
    assert pulled.id == engine_client.images.get(reference).id


def test_a_tag_that_was_moved_is_told_with_both_digests(push):
    reference = push("one", "first")
    first = ask([reference], Lock(), DockerRegistry(), Silent()).lock
    push("one", "second")
    second = ask([reference], first, DockerRegistry(), Silent()).lock
    assert moved(first, second) == [Move(reference, first.images[reference], second.images[reference])]
    assert first.images[reference] != second.images[reference]


def test_while_the_registry_is_down_a_digest_stays_and_none_is_made_up(registry, push):
    reference = push("one", "first")
    known = ask([reference], Lock(), DockerRegistry(), Silent()).lock
    registry.stop()
    asked = ask([reference, f"{registry.address}/new:1"], known, DockerRegistry(), Silent())
    assert asked.lock.images[reference] == known.images[reference]
    assert asked.lock.images[f"{registry.address}/new:1"] == f"unresolved: {NO_REGISTRY}"
    assert set(asked.silent) == {reference, f"{registry.address}/new:1"}


def test_a_tag_that_is_not_there_is_told(registry):
    reference = f"{registry.address}/none:1"
    with pytest.raises(OpsError, match="in vain"):
        DockerRegistry().digest(reference)
    assert NO_REGISTRY not in ask([reference], Lock(), DockerRegistry(), Silent()).lock.images[reference]
