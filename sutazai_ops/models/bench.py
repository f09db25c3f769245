"""Measures models on this machine, and compares several with the largest of them.

Each is put out of memory and loaded anew, so that loading is measured; its file may still be in the page cache, as it
is for whoever switches models all day. What was in memory before is put back. Answers are asked for without chance
(temperature 0, one seed), so that two quantizations of one model can be held against each other: how many answers are
the same, and how alike the others are, word by word. It is a measurement over a few prompts, and no promise.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from sutazai_ops.models.apply import unload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sutazai_ops.models.ollama import InMemory, Ollama, Present, Spoken
    from sutazai_ops.progress import Progress

PROMPTS = (
    "Answer with one word: is water wet?",
    "What is 17 times 23? Answer with the number alone.",
    "Name the capital of Australia in one word.",
    "Write a Python function that returns the larger of two numbers. Only the code.",
    "Translate into French: The service is down.",
    "Is this review good or bad? 'It broke after a day.' Answer with one word.",
    "List three primary colours, separated by commas.",
    "Summarize in one sentence: Backups that were never restored are hopes, not backups.",
)
"""Small, each of another kind, with answers that are short where they are right."""
TOKENS = 64
"""Of an answer, at most."""
FEW = 2
"""Prompts of a measurement in passing."""
STAYS_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Measured:
    """What one model came to."""

    model: str
    digest: str
    size: int
    """Bytes on the disk."""
    quantization: str
    prompts: int
    memory: int | None = None
    """Bytes when loaded, by the server; None where it no longer had it."""
    load_seconds: float | None = None
    """None where it was in memory already."""
    first_token_seconds: float | None = None
    """Of the first prompt, the model loaded; for vectors, of the first text."""
    tokens_per_second: float | None = None
    """Over all prompts; None for a model of vectors."""
    dimension: int | None = None
    answers: Sequence[str] = field(default=(), repr=False)
    vectors: Sequence[Sequence[float]] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a model answers as another one does."""

    model: str
    reference: str
    same: float | None = None
    """The share of answers that are the same but for case, spaces and full stops."""
    alike: float | None = None
    """The mean likeness of answers, word by word: 1 for the same."""
    cosine: float | None = None
    """The mean cosine between the vectors of the same texts."""


def bench(
    ollama: Ollama, models: Sequence[Present], progress: Progress, prompts: Sequence[str] = PROMPTS
) -> Iterator[Measured]:
    """Measure each, loaded anew, and put back in the end what was in memory before."""
    before = ollama.in_memory()
    try:
        for model in models:
            unload(ollama, model.name)
            with progress.step(f"measure {model.name}"):
                yield measure(ollama, model, prompts)
    finally:
        put_back(ollama, before)


def measure(ollama: Ollama, model: Present, prompts: Sequence[str] = PROMPTS[:FEW]) -> Measured:
    """Measure one as it stands: loaded if it is not, asked each prompt once, and left as long in memory as it was."""
    standing = next((one for one in ollama.in_memory() if one.name == model.name), None)
    stays = STAYS_SECONDS if standing is None else left(standing)
    makes_words = ollama.shape(model.name).makes_words
    load = None
    if standing is None:
        load = ollama.load(model.name, stays=stays, context=None, makes_words=makes_words)
    memory = next((one.size for one in ollama.in_memory() if one.name == model.name), None)
    common = {
        "model": model.name, "digest": model.digest, "size": model.size, "quantization": model.quantization,
        "prompts": len(prompts), "memory": memory, "load_seconds": load,
    }  # fmt: skip
    if makes_words:
        spoken = [ollama.say(model.name, prompt, tokens=TOKENS, stays=stays) for prompt in prompts]
        return Measured(
            **common,  # type: ignore[arg-type]
            first_token_seconds=spoken[0].first_token_seconds if spoken else None,
            tokens_per_second=_rate(spoken),
            answers=[one.text for one in spoken],
        )
    vectors = [one for prompt in prompts for one in ollama.vectors(model.name, [prompt], stays=stays)]
    return Measured(
        **common,  # type: ignore[arg-type]
        first_token_seconds=vectors[0].seconds if vectors else None,
        dimension=len(vectors[0].numbers) if vectors else None,
        vectors=[one.numbers for one in vectors],
    )


def agreements(measured: Sequence[Measured]) -> list[Agreement]:
    """How far each answers as the largest of its kind does; none for that one itself."""
    found = []
    for one in measured:
        kind = [other for other in measured if bool(other.vectors) == bool(one.vectors)]
        reference = max(kind, key=lambda other: other.size)
        if reference is not one:
            found.append(agreement(one, reference))
    return found


def agreement(one: Measured, reference: Measured) -> Agreement:
    """Hold one against another; a figure that cannot be had, as for vectors of other lengths, is None."""
    if one.vectors and reference.vectors:
        cosines = [cosine(a, b) for a, b in zip(one.vectors, reference.vectors, strict=True) if len(a) == len(b)]
        return Agreement(one.model, reference.model, cosine=_mean(cosines))
    pairs = [(_words(a), _words(b)) for a, b in zip(one.answers, reference.answers, strict=True)]
    return Agreement(
        one.model,
        reference.model,
        same=_mean([float(a == b) for a, b in pairs]),
        alike=_mean([SequenceMatcher(None, a, b, autojunk=False).ratio() for a, b in pairs]),
    )


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of one length; 0 where one of them has none.

    >>> cosine([1, 0], [0, 2]), cosine([1, 2], [2, 4])
    (0.0, 1.0)
    """
    lengths = math.hypot(*a) * math.hypot(*b)
    return round(math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths, 12) if lengths else 0.0


def put_back(ollama: Ollama, before: Sequence[InMemory]) -> None:
    """Have in memory again what was there, for as long as it would have stayed."""
    there = {one.name for one in ollama.in_memory()}
    for one in before:
        if one.name not in there:
            words = ollama.shape(one.name).makes_words
            ollama.load(one.name, stays=left(one), context=one.context, makes_words=words)


def left(one: InMemory) -> int:
    """Seconds that a model still stays in memory; -1 for one that was told to stay."""
    from sutazai_ops.models.manifest import FOR_EVER
    from sutazai_ops.monitoring.exporter.collectors.models import FOR_EVER_SECONDS

    seconds = one.leaves_at - time.time()
    return FOR_EVER if seconds > FOR_EVER_SECONDS else max(1, round(seconds))


def _rate(spoken: Sequence[Spoken]) -> float | None:
    tokens, seconds = sum(one.tokens for one in spoken), math.fsum(one.token_seconds for one in spoken)
    return tokens / seconds if tokens and seconds > 0 else None


def _words(text: str) -> list[str]:
    return text.casefold().replace(".", " ").split()


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
