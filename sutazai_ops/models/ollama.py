"""What Ollama is asked, by its documented interface: https://docs.ollama.com/api.

Every question has its time; what keeps an answer from coming is one sentence. Digests are written `sha256:…` here,
which Ollama's lists leave out. A pull that breaks off goes on where it was when it is asked for again: Ollama keeps
what has arrived, and changes what a name means only once everything has.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sutazai_ops import http
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.models.manifest import tagged
from sutazai_ops.monitoring.exporter.collectors.models import moment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

LIST_SECONDS = 10.0
LOAD_SECONDS = 300.0
"""A model of tens of gigabytes is read from a disk in minutes."""
PULL_SILENCE = 60.0
"""Ollama itself gives up a part of a download that stands still for 30 s, and begins it anew."""
DELETE_SECONDS = 60.0
SUCCESS = "success"
NANOSECOND = 1e-9


class NoSuchModel(OpsError):
    """Neither Ollama nor its registry has a model of that name."""


class NoRoom(OpsError):
    """The disk of the models is full, or would be."""


@dataclass(frozen=True, slots=True)
class Present:
    """A model on the disk."""

    name: str
    digest: str
    size: int
    """Bytes on the disk, which are about those of its weights in memory."""
    quantization: str = ""
    parameters: str = ""
    """As Ollama words it: "3.2B"."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A model in memory."""

    name: str
    size: int
    """Bytes, with its context and what it computes in."""
    leaves_at: float
    """Seconds since 1970; far away for one that was told to stay."""
    context: int | None = None
    """Tokens that it was loaded for; None where the server does not say."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model tells how much memory its context takes."""

    makes_words: bool
    layers: int | None = None
    kv_heads: int | None = None
    key_length: int | None = None
    value_length: int | None = None
    trained_context: int | None = None
    dimension: int | None = None


@dataclass(frozen=True, slots=True)
class Pulling:
    """One message of a pull."""

    status: str
    layer: str = ""
    total: int = 0
    completed: int = 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer in words, and how long it took."""

    text: str
    load_seconds: float
    first_token_seconds: float
    """From the question to the first of the answer, the loading included."""
    tokens: int
    token_seconds: float
    """For the tokens alone."""

    @property
    def tokens_per_second(self) -> float | None:
        """None where nothing was said."""
        return self.tokens / self.token_seconds if self.tokens and self.token_seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Vector:
    """A text as numbers."""

    numbers: tuple[float, ...] = field(repr=False)
    load_seconds: float
    seconds: float


class Ollama:
    """One server."""

    def __init__(self, address: str, name: str = "Ollama") -> None:
        self.address, self.name = address.rstrip("/"), name

    def version(self) -> str:
        """Of the server."""
        return str(self._get("/api/version").get("version", ""))

    def present(self) -> list[Present]:
        """The models on its disk."""
        return [
            Present(
                name=tagged(str(one["name"])),
                digest=_digest(one),
                size=_number(one.get("size")),
                quantization=str(_below(one, "details").get("quantization_level") or ""),
                parameters=str(_below(one, "details").get("parameter_size") or ""),
            )
            for one in self._models("/api/tags")
        ]

    def in_memory(self) -> list[InMemory]:
        """The models in its memory."""
        return [
            InMemory(
                name=tagged(str(one["name"])),
                size=_number(one.get("size")),
                leaves_at=moment(str(one.get("expires_at", ""))),
                context=_number(one.get("context_length")) or None,
            )
            for one in self._models("/api/ps")
        ]

    def shape(self, model: str) -> Shape:
        """What is written in a model's own file; raises `NoSuchModel`."""
        said = self._post("/api/show", {"model": model}, model, LIST_SECONDS)
        facts = _below(said, "model_info")
        architecture = str(facts.get("general.architecture", ""))

        def fact(name: str) -> int | None:
            return _number(facts.get(f"{architecture}.{name}")) or None

        heads, width = fact("attention.head_count"), fact("embedding_length")
        # As llama.cpp has it: a head is as wide as its share of the whole, where the file does not say.
        usual = width // heads if heads and width else None
        capabilities = said.get("capabilities")
        return Shape(
            makes_words="completion" in capabilities if isinstance(capabilities, list) else True,
            layers=fact("block_count"),
            kv_heads=fact("attention.head_count_kv") or heads,
            key_length=fact("attention.key_length") or usual,
            value_length=fact("attention.value_length") or usual,
            trained_context=fact("context_length"),
            dimension=width,
        )

    def pull(self, model: str) -> Generator[Pulling, None, None]:
        """Have it fetched, telling what has arrived; whoever stops listening stops it, and it goes on at the next call.

        Raises:
            NoSuchModel: when its registry has none of that name.
            NoRoom: when its disk is full.
            Unreachable: when the server, or its registry, stops answering.
        """
        with http.posting(f"{self.address}/api/pull", {"model": model}, silence=PULL_SILENCE) as answer:
            last = ""
            for said in self._messages(answer, model):
                last = str(said.get("status", ""))
                yield Pulling(
                    last, str(said.get("digest", "")), _number(said.get("total")), _number(said.get("completed"))
                )
        if last != SUCCESS:
            raise Unreachable(f"{self.name} broke the pull of {model} off", where=self.address)

    def load(self, model: str, *, stays: int | None, context: int | None, makes_words: bool = True) -> float:
        """Have it in memory, for so many seconds (-1 for ever); returns how many it took."""
        asked: dict[str, Any] = {"model": model, **({} if stays is None else {"keep_alive": stays})}
        if context is not None:
            asked["options"] = {"num_ctx": context}
        path = "/api/generate" if makes_words else "/api/embed"
        asked |= {"stream": False} if makes_words else {"input": "warm"}
        began = time.monotonic()
        self._post(path, asked, model, LOAD_SECONDS)
        return time.monotonic() - began

    def unload(self, model: str, *, makes_words: bool = True) -> None:
        """Have it leave the memory: asked for nothing, and for no time."""
        path = "/api/generate" if makes_words else "/api/embed"
        asked = {"stream": False} if makes_words else {"input": ""}
        self._post(path, {"model": model, "keep_alive": 0, **asked}, model, LIST_SECONDS)

    def say(self, model: str, prompt: str, *, tokens: int, stays: int | None = None) -> Spoken:
        """Ask it something, to be answered the same each time as far as the server can."""
        options = {"num_predict": tokens, "temperature": 0, "seed": 0}
        asked: dict[str, Any] = {"model": model, "prompt": prompt, "options": options}
        asked |= {} if stays is None else {"keep_alive": stays}
        began, first, text = time.monotonic(), None, []
        last: Mapping[str, Any] = {}
        with http.posting(f"{self.address}/api/generate", asked, silence=LOAD_SECONDS) as answer:
            for said in self._messages(answer, model):
                # A model that thinks first says that beside its answer.
                if first is None and (said.get("response") or said.get("thinking")):
                    first = time.monotonic() - began
                text.append(str(said.get("response", "")))
                last = said
        if not last.get("done"):
            raise Unreachable(f"{self.name} broke the answer of {model} off", where=self.address)
        return Spoken(
            text="".join(text),
            load_seconds=_number(last.get("load_duration")) * NANOSECOND,
            first_token_seconds=first if first is not None else time.monotonic() - began,
            tokens=_number(last.get("eval_count")),
            token_seconds=_number(last.get("eval_duration")) * NANOSECOND,
        )

    def vectors(self, model: str, texts: Sequence[str], *, stays: int | None = None) -> list[Vector]:
        """Each text as a vector; raises `OpsError` where it makes none."""
        asked = {"model": model, "input": list(texts), **({} if stays is None else {"keep_alive": stays})}
        began = time.monotonic()
        said = self._post("/api/embed", asked, model, LOAD_SECONDS)
        took = time.monotonic() - began
        found = said.get("embeddings")
        if not isinstance(found, list) or len(found) != len(texts):
            raise OpsError(f"{model} makes no vectors", where=self.address, remedy="name another one as an embedding")
        load = _number(said.get("load_duration")) * NANOSECOND
        return [Vector(tuple(map(float, one)), load, took / len(texts)) for one in found]

    def copy(self, model: str, name: str) -> None:
        """Have `name` mean what `model` means now, too."""
        answer = http.post(f"{self.address}/api/copy", {"source": model, "destination": name}, seconds=LIST_SECONDS)
        self._refuse(answer.status, answer.body, model)

    def delete(self, model: str) -> None:
        """Remove it from the disk; layers of others stay."""
        answer = http.delete(f"{self.address}/api/delete", {"model": model}, seconds=DELETE_SECONDS)
        self._refuse(answer.status, answer.body, model)

    def _messages(self, answer: http.Lines, model: str) -> Iterator[Mapping[str, Any]]:
        if answer.status != http.OK:
            self._refuse(answer.status, b"\n".join(answer.lines), model)
        for line in filter(None, map(bytes.strip, answer.lines)):
            said = _read(line)
            if "error" in said:
                self._refuse(http.BAD_REQUEST, line, model)
            yield said

    def _models(self, path: str) -> list[Mapping[str, Any]]:
        models = self._get(path).get("models")
        if not isinstance(models, list):
            raise OpsError(f"{self.name} does not list its models at {path}", where=self.address)
        return [one for one in models if isinstance(one, dict) and one.get("name")]

    def _get(self, path: str) -> Mapping[str, Any]:
        answer = http.get(f"{self.address}{path}", seconds=LIST_SECONDS)
        self._refuse(answer.status, answer.body, path)
        return _read(answer.body)

    def _post(self, path: str, asked: Mapping[str, Any], model: str, seconds: float) -> Mapping[str, Any]:
        answer = http.post(f"{self.address}{path}", asked, seconds=seconds)
        self._refuse(answer.status, answer.body, model)
        return _read(answer.body)

    def _refuse(self, status: int, body: bytes, what: str) -> None:
        """Raise the error that an answer is, if it is one."""
        if status == http.OK:
            return
        said = str(_read(body).get("error") or body[:200].decode(errors="replace")).strip()
        raise _error(said, status, what, self)


def _error(said: str, status: int, what: str, server: Ollama) -> OpsError:
    """What the server's own words mean: it tells a full disk, a missing name and a broken line in one status."""
    words = said.lower()
    if "no space left" in words:
        return NoRoom(f"the disk of {server.name} is full", where=server.address, remedy="sutazai-ops models prune")
    if "file does not exist" in words or (status == http.NOT_FOUND and "not found" in words):
        return NoSuchModel(
            f"{server.name} has no model {what}, and its registry none that it could pull", where=server.address
        ) if "manifest" in words else NoSuchModel(
            f"{server.name} has no model {what}", where=server.address, remedy=f"sutazai-ops models pull {what}"
        )  # fmt: skip
    if any(sign in words for sign in ("dial tcp", "no such host", "timeout", "connection re", "eof", "max retries")):
        return Unreachable(f"{server.name} cannot reach its registry for {what}: {said}", where=server.address)
    return OpsError(f"{server.name} refuses {what}: {said or status}", where=server.address)


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _below(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = said.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int:
    """A whole number; 0 where it is none, as for the list that some models have in a number's place."""
    return int(value) if isinstance(value, int | float) else 0


def _digest(one: Mapping[str, Any]) -> str:
    digest = str(one.get("digest", ""))
    return digest if not digest or digest.startswith("sha256:") else f"sha256:{digest}"
