"""How long the vectors are that a store's collections take, asked of servers that answer as Qdrant and Chroma do."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ollama_house import Engine
from probe_servers import serving

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.models.collections import lengths
from sutazai_ops.models.judge import Case, Outcome, dimension
from sutazai_ops.models.manifest import Wanted
from sutazai_ops.models.memory import Server
from sutazai_ops.models.ollama import Present, Shape
from sutazai_ops.models.plan import Plan, Seen
from sutazai_ops.platform import read_platform

CORE = """\
services:
  qdrant:
    image: qdrant/qdrant:v1.19.0
    x-sutazai: {probes: [qdrant], login: {secret: qdrant-api-key}}
  chromadb:
    image: chromadb/chroma:1.5.9
    x-sutazai: {probes: [chroma]}
secrets:
  qdrant-api-key: {file: ./key}
"""


def collection(vectors) -> dict:
    return {"result": {"status": "green", "config": {"params": {"vectors": vectors}}}, "status": "ok"}


QDRANT = {
    "/collections/documents": collection({"size": 384, "distance": "Cosine"}),
    "/collections/named": collection({"title": {"size": 768}, "text": {"size": 768}}),
    "/collections/mixed": collection({"title": {"size": 768}, "text": {"size": 3}}),
}
CHROMA = [{"name": "notes", "dimension": 768}, {"name": "empty", "dimension": None}]


def store(answers, key: str = ""):
    """Answers what it has to whoever shows the key, if it wants one."""

    def behave(connection, over) -> None:
        head = connection.recv(65536).decode()
        path = head.split()[1]
        status, said = (200, answers.get(path)) if isinstance(answers, dict) else (200, answers)
        if said is None:
            status, said = 404, {"status": {"error": "Not found"}}
        if key and f"api-key: {key}" not in head:
            status, said = 401, {}
        body = json.dumps(said).encode()
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)

    return behave


@pytest.fixture
def here(tmp_path):
    (tmp_path / "core.yaml").write_text(CORE)
    (tmp_path / "key").write_text("not-told\n")
    with serving(store(QDRANT, "not-told")) as qdrant, serving(store(CHROMA)) as chroma:
        yield SimpleNamespace(platform=read_platform(tmp_path), engine=Engine(qdrant=qdrant, chromadb=chroma))


def test_qdrant_tells_the_length_of_one_vector_and_of_several_that_are_alike(here):
    names = ["documents", "named", "mixed", "none"]
    assert lengths(here, "qdrant", names) == {"documents": 384, "named": 768, "mixed": None, "none": None}


def test_chroma_tells_the_length_of_what_holds_something(here):
    assert lengths(here, "chromadb", ["notes", "empty", "none"]) == {"notes": 768, "empty": None, "none": None}


def test_a_key_that_is_wrong_or_missing_is_one_sentence_without_the_key(here, tmp_path):
    (tmp_path / "key").write_text("another")
    with pytest.raises(OpsError, match="qdrant does not tell its collections: it answers 401") as refused:
        lengths(here, "qdrant", ["documents"])
    assert "another" not in str(refused.value)
    (tmp_path / "key").unlink()
    with pytest.raises(BadInput, match="the key of qdrant cannot be read"):
        lengths(here, "qdrant", ["documents"])


class Vectors:
    """An Ollama that knows the shape of its one model."""

    ollama = property(lambda self: self)

    def shape(self, name: str) -> Shape:
        return Shape(makes_words=False, dimension=768)


@pytest.mark.parametrize(
    ("collections", "outcome", "because"),
    [
        (("chromadb/notes", "qdrant/named"), Outcome.GOOD, "768 numbers, as is expected"),
        (("chromadb/notes", "qdrant/documents"), Outcome.BAD, "768 numbers, and qdrant/documents takes 384"),
        (("chromadb/none",), Outcome.OPEN, "unknown: chromadb has no collection none yet"),
        ((), Outcome.OPEN, "the manifest does not say what is expected"),
    ],
)
def test_a_model_is_held_against_each_collection_that_it_fills(here, collections, outcome, because):
    model = Wanted(name="vectors:latest", purpose="embedding", collections=collections)
    seen = Seen(Server("ollama"), [Present("vectors:latest", f"sha256:{'a' * 64}", 10)])
    verdict = dimension(Case(here, model, Vectors(), seen, Plan(()), None, ()))
    assert verdict.outcome is outcome
    assert because in verdict.because
