"""The manifest of models and the lock of their digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.models.manifest import consumers, not_in_manifest, read_manifest, tagged
from sutazai_ops.models.memory import reckoned, refuses, server
from sutazai_ops.models.ollama import Shape
from sutazai_ops.models.pins import Lock, Move, locked, moved, pins_of, read_lock, write_lock
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM

LLAMA = Shape(makes_words=True, layers=28, kv_heads=8, key_length=128, value_length=128, trained_context=131_072)
DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"
CORE = """\
services:
  ollama:
    image: ollama/ollama:1
    x-sutazai: {probes: [ollama]}
  backend:
    image: backend:1
    depends_on: [ollama]
    environment: {OLLAMA_MODEL: "chat:3b", MODEL_FOLDER: /models, MAX_LOADED_MODELS: "3"}
  tracker:
    image: tracker:1
    environment: {MODEL_NAME: gpt-5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "core.yaml").write_text(CORE)
    return tmp_path


def read(folder: Path, text: str, over: str | None = None):
    (folder / "models.yaml").write_text(text)
    if over is not None:
        (folder / "own").mkdir()
        (folder / "own/mine.yaml").write_text(over)
    return read_manifest(read_platform(folder), folder / "own/mine.yaml" if over is not None else None)


def test_the_packaged_platform_wants_what_the_plan_names():
    found = read_manifest(read_platform(PACKAGED_PLATFORM, {"SECRETS_FOLDER": "/s"}))
    chat, vectors = found
    assert (chat.name, chat.purpose, chat.warm, chat.stays) == ("llama3.2:3b", "chat", True, -1)
    assert (vectors.name, vectors.purpose, vectors.dimension) == ("nomic-embed-text:latest", "embedding", 768)


def test_what_the_packaged_platform_keeps_warm_fits_where_it_runs_and_is_all_that_its_services_ask_for():
    platform = read_platform(PACKAGED_PLATFORM, {"SECRETS_FOLDER": "/s"})
    found = read_manifest(platform)
    users = consumers(platform, found)
    assert not_in_manifest(found, users) == []
    assert len(users["llama3.2:3b"]) == 9
    where = server("ollama", platform.services["ollama"].compose)
    words = reckoned(2_019_000_000, LLAMA, where)
    vectors = reckoned(274_000_000, Shape(makes_words=False), where)
    assert refuses("nomic-embed-text:latest", {"llama3.2:3b": words}, vectors, where) == ""


def test_a_file_of_ones_own_is_laid_over_key_by_key_and_takes_away(folder):
    found = read(
        folder,
        "a:1b: {purpose: chat, warm: true}\nb:1b: {purpose: code}\n",
        "a:1b: {keep_alive: 90s}\nb:1b: null\nc: {purpose: embedding, size: 1.5GB}\n",
    )
    assert [one.name for one in found] == ["a:1b", "c:latest"]
    assert (found.models["a:1b"].warm, found.models["a:1b"].stays) == (True, 90)
    assert found.models["c:latest"].size == 1_500_000_000


@pytest.mark.parametrize(
    ("text", "what", "where", "remedy"),
    [
        ("a:1b: {purpose: chat, wram: true}", "wram is no key of a model", ":1, key a:1b.wram", "warm"),
        ("a:1b: {warm: true}", "has no purpose", ":1", "add purpose:"),
        ("a:1b:\n  purpose: talk", "purpose of the model a:1b is wrong", ":2, key a:1b.purpose", ""),
        ("a:1b: {purpose: chat, dimension: 3}", "makes no vectors", ":1", ""),
        ("a:1b: {purpose: chat, digest: abc}", "64 of the digits", "a:1b.digest", ""),
        ("a:1b: {purpose: chat, size: 2 giga}", "write a size as 280MB", "a:1b.size", ""),
        ("a:1b: {purpose: chat, keep_alive: 5}", "with its unit", "keep_alive", ""),
        ("a:1b: {purpose: chat, used_by: [bakend]}", "no service 'bakend'", "used_by.0", "did you mean 'backend'?"),
        ("a:1b: {purpose: chat, service: backend}", "no service that holds models", "a:1b.service", "ollama"),
        ("a:1b: {purpose: chat, collections: [qdrant/x]}", "neither a dimension nor collections", ":1", ""),
        ("a:1b: {purpose: embedding, collections: [x]}", "collections.0 of the model a:1b is wrong", "collections", ""),
        ("a:1b: {purpose: embedding, collections: [backend/x]}", "no vector store", "collections.0", "known are: none"),
        ("'a 1b': {purpose: chat}", "is no name of a model", ":1", "NAME:TAG"),
        ("a: {purpose: chat}\na:latest: {purpose: code}", "stands twice", ":2", "remove one"),
    ],
)
def test_what_could_never_come_true_is_refused_with_its_line(folder, text, what, where, remedy):
    with pytest.raises(BadInput) as refused:
        read(folder, text)
    assert what in refused.value.what
    assert where in refused.value.where
    assert "models.yaml" in refused.value.where
    assert remedy in refused.value.remedy


def test_a_platform_without_models_wants_none(folder):
    assert not list(read_manifest(read_platform(folder)))


def test_who_uses_a_model_is_who_the_manifest_names_and_whose_environment_does(folder):
    found = read(folder, "chat:3b: {purpose: chat, used_by: [tracker]}")
    assert consumers(read_platform(folder), found) == {"chat:3b": ["tracker", "backend"]}
    # What is somebody else's model is none of ours, and neither is a folder.
    assert "gpt-5:latest" not in consumers(read_platform(folder), found)
    assert not_in_manifest(found, consumers(read_platform(folder), found)) == []


def test_what_a_service_asks_for_and_nobody_pulls_is_said(folder):
    found = read(folder, "other:3b: {purpose: chat}")
    (said,) = not_in_manifest(found, consumers(read_platform(folder), found))
    assert said.startswith("backend asks for chat:3b, which models.yaml does not have")


def test_a_name_that_nobody_knows_is_refused_with_the_nearest(folder):
    found = read(folder, "llama3.2:3b: {purpose: chat}")
    with pytest.raises(BadInput, match=r"no model 'lama3\.2:3b'") as refused:
        found.select(["lama3.2:3b"])
    assert refused.value.remedy == "did you mean 'llama3.2:3b'?"


def test_a_name_with_a_registrys_port_has_no_tag_yet():
    assert tagged("registry.example:5000/own/model") == "registry.example:5000/own/model:latest"


def test_what_the_manifest_pins_wins_over_the_lock(folder):
    found = read(folder, f'a:1b: {{purpose: chat, digest: "{DIGEST}"}}\nb:1b: {{purpose: chat}}')
    lock = Lock(models={"a:1b": OTHER, "b:1b": OTHER, "gone:1b": OTHER})
    assert pins_of(found, lock) == {"a:1b": DIGEST, "b:1b": OTHER}


def test_a_lock_comes_back_as_it_was_written(tmp_path):
    lock = Lock(models={"b:1b": DIGEST, "a:1b": OTHER})
    write_lock(lock, tmp_path / "new/models.lock.yaml")
    assert read_lock(tmp_path / "new/models.lock.yaml") == lock
    assert read_lock(tmp_path / "none.yaml") == Lock()


def test_a_lock_that_is_none_is_refused(tmp_path):
    file = tmp_path / "models.lock.yaml"
    file.write_text("models: {a:1b: latest}\n")
    with pytest.raises(BadInput, match=r"is no lock of models: models\.a:1b"):
        read_lock(file)


def test_a_lock_says_what_moved_and_keeps_what_was_not_asked_for():
    old = Lock(models={"a:1b": DIGEST, "b:1b": DIGEST, "gone:1b": DIGEST})
    new = locked(old, {"a:1b": OTHER, "b:1b": OTHER}, ["a:1b"], ["a:1b", "b:1b"])
    assert new.models == {"a:1b": OTHER, "b:1b": DIGEST}
    assert moved(old, new) == [Move("a:1b", DIGEST, OTHER), Move("gone:1b", DIGEST, "")]
