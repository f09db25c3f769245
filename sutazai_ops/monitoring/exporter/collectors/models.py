"""Ollama's models: which are in memory, and how long a small question to each of those takes.

Ollama itself exports nothing. Nothing is ever loaded for the asking: only a model that is in memory is asked, not in
the last moments before it leaves, and the time at which it will leave stays as it was.
https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations
from typing import TYPE_CHECKING, Any

from sutazai_ops import http
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.monitoring.exporter.measured import Measured, Round
from sutazai_ops.monitoring.probes.http import written
from sutazai_ops.monitoring.servers import is_ollama

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.exporter.tallies import Tallies
    from sutazai_ops.platform import Service

OLLAMA_PORT = 11434
LIST_SECONDS = 5.0
QUESTION_SECONDS = 60.0
QUESTION = "Answer with one word: is water wet?"
WORDS = 8
"""How many tokens are asked for, at most."""
FOR_EVER_SECONDS = 365 * 24 * 3600
"""A model that stays for longer was told to stay, which Ollama spells -1."""
KNOWN_FOR = 3
"""For how many intervals it is known how long a question took."""
SLACK_SECONDS = 2.0
"""By which a server's clock and ours may differ in what a model's time is."""
NANOSECONDS = re.compile(r"(\.\d{6})\d*")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory."""

    name: str
    leaves_in: float
    """Seconds until it is unloaded when nobody asks it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a small question ended."""

    at: float
    """By the clock that nobody sets."""
    seconds: float | None
    """None where it had no answer."""


class ModelsCollector:
    """A collector: which models are in memory, and which were put out of it for which."""

    name = "models"

    def __init__(
        self,
        engine: Engine,
        services: Callable[[], Sequence[Service]],
        tallies: Tallies,
        *,
        interval: float,
        seconds: float = 15,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._engine, self._services, self._tallies, self._clock = engine, services, tallies, clock
        self._before: dict[str, Look] = {}
        self._seen: dict[str, set[str]] = {}

    def collect(self) -> Round:
        """Ask each Ollama for its models."""
        measured: list[Measured] = []
        missing: list[str] = []
        away: list[str] = []
        for service in filter(is_ollama, self._services()):
            try:
                measured += self._ask(service)
            except OpsError as error:
                # Nobody knows what happened until it answers again.
                self._before.pop(service.name, None)
                (away if isinstance(error, Unreachable) else missing).append(error.what)
        return Round(tuple(measured), tuple(missing), away=tuple(away))

    def _ask(self, service: Service) -> Iterator[Measured]:
        address = address_of(self._engine, service)
        now = Look(self._clock(), {model.name: model.leaves_in for model in loaded_models(address)})
        self._count(service.name, now)
        there = {str(model["name"]) for model in _models(address, "/api/tags")}
        for name in sorted({*now.leaves_in, *there}):
            labels = {"service": service.name, "model": name}
            yield Measured("sutazai_model_loaded", float(name in now.leaves_in), labels)

    def _count(self, service: str, now: Look) -> None:
        seen = self._seen.setdefault(service, set())
        seen.update(now.leaves_in)
        # A counter that begins with its first event has not grown by it.
        for gone, by in permutations(seen, 2):
            self._tallies.count("sutazai_model_evictions_total", 0, service=service, model=gone, by=by)
        before = self._before.get(service)
        for gone, by in put_out(before, now) if before else ():
            self._tallies.count("sutazai_model_evictions_total", service=service, model=gone, by=by)
        self._before[service] = now


@dataclass(frozen=True, slots=True)
class Look:
    """What was in memory at a moment."""

    at: float
    """By the clock that nobody sets."""
    leaves_in: Mapping[str, float]
    """Seconds that each would still stay unasked."""


def put_out(before: Look, now: Look) -> list[tuple[str, str]]:
    """Which models left before their time, each with every one that came meanwhile.

    One that nothing came for was told to leave, and put out by nobody.
    """
    passed = now.at - before.at
    gone = [
        name for name, left in before.leaves_in.items() if name not in now.leaves_in and left > passed + SLACK_SECONDS
    ]
    came = [name for name in now.leaves_in if name not in before.leaves_in]
    return [(one, by) for one in gone for by in came]


class InferenceCollector:
    """A collector: how long a small question takes."""

    name = "inference"

    def __init__(
        self,
        engine: Engine,
        services: Callable[[], Sequence[Service]],
        tallies: Tallies,
        *,
        interval: float,
        every: float,
        seconds: float = 90,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval, self.seconds = interval, seconds
        self._engine, self._services, self._tallies = engine, services, tallies
        self._every, self._clock = every, clock
        self._asked: dict[tuple[str, str], Asked] = {}

    def collect(self) -> Round:
        """Ask each model that is in memory, once in its time, and at once where it has just come."""
        missing: list[str] = []
        away: list[str] = []
        there: set[tuple[str, str]] = set()
        for service in filter(is_ollama, self._services()):
            try:
                address = address_of(self._engine, service)
                for model in loaded_models(address):
                    there.add((service.name, model.name))
                    self._ask_in_time(address, service.name, model)
            except OpsError as error:
                (away if isinstance(error, Unreachable) else missing).append(error.what)
        # One that left and comes again is asked at once.
        self._asked = {key: asked for key, asked in self._asked.items() if key in there}
        return Round(tuple(self._last()), tuple(missing), away=tuple(away))

    def _ask_in_time(self, address: str, service: str, model: Loaded) -> None:
        labels = {"service": service, "model": model.name}
        before = self._asked.get((service, model.name))
        is_leaving = model.leaves_in < QUESTION_SECONDS / 2
        if is_leaving or (before and self._clock() - before.at < self._every):
            return
        self._tallies.count("sutazai_inference_failures_total", 0, **labels)
        started = self._clock()
        is_answered = ask(address, model)
        ended = self._clock()
        self._asked[service, model.name] = Asked(ended, ended - started if is_answered else None)
        if is_answered:
            self._tallies.observe("sutazai_inference_duration_seconds", ended - started, **labels)
        else:
            self._tallies.count("sutazai_inference_failures_total", 1, **labels)

    def _last(self) -> Iterator[Measured]:
        for (service, model), asked in self._asked.items():
            if asked.seconds is not None and self._clock() - asked.at <= KNOWN_FOR * self._every:
                labels = {"service": service, "model": model}
                yield Measured("sutazai_inference_last_seconds", asked.seconds, labels)


def address_of(engine: Engine, service: Service) -> str:
    """Where its interface is; raises `OpsError` where it does not run."""
    port = next((probe.port for probe in service.probes if probe.kind == "ollama"), None)
    return written(engine.endpoint(service.name, port or OLLAMA_PORT), "")


def loaded_models(address: str) -> list[Loaded]:
    """The models in memory; raises `OpsError` where Ollama does not say."""
    now = time.time()
    return [
        Loaded(str(model["name"]), moment(str(model.get("expires_at", ""))) - now)
        for model in _models(address, "/api/ps")
    ]


def ask(address: str, model: Loaded) -> bool:
    """Put the small question, and say whether there was an answer in time; the model leaves when it would have left."""
    stay = -1 if model.leaves_in > FOR_EVER_SECONDS else max(1, round(model.leaves_in))
    common = {"model": model.name, "keep_alive": stay, "stream": False}
    question = {**common, "prompt": QUESTION, "options": {"num_predict": WORDS, "seed": 0, "temperature": 0}}
    try:
        answer = http.post(f"{address}/api/generate", question, seconds=QUESTION_SECONDS)
        if answer.status == http.BAD_REQUEST and b"does not support generate" in answer.body:
            # A model that makes vectors and no words.
            answer = http.post(f"{address}/api/embed", {**common, "input": QUESTION}, seconds=QUESTION_SECONDS)
    except OpsError:
        return False
    return answer.status == http.OK


def _models(address: str, path: str) -> list[dict[str, Any]]:
    answer = http.get(f"{address}{path}", seconds=LIST_SECONDS)
    try:
        models = json.loads(answer.body)["models"]
    except (ValueError, KeyError, TypeError, RecursionError):
        models = None
    if answer.status != http.OK or not isinstance(models, list):
        raise OpsError(f"Ollama does not list its models: it answers {answer.status} to {path}", where=address)
    return [model for model in models if isinstance(model, dict) and "name" in model]


def moment(text: str) -> float:
    """Seconds since 1970; Go writes nanoseconds, which Python does not read. What is no moment never comes."""
    try:
        return datetime.fromisoformat(NANOSECONDS.sub(r"\1", text)).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
