"""What an HTTP answer has to be for each kind of probe, as data, and whether one is. Pure: no network here.

Where a kind's path comes from its own documentation, readiness was taken before liveness: a service that is alive and
cannot serve is of no use to whoever waits for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.probes.outcome import WrongAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.platform import Probe

SHOWN = 80
"""Characters of a wrong answer that are shown."""
MISSING = object()


@dataclass(frozen=True, slots=True)
class Expected:
    """What is asked for, and what the answer has to be."""

    path: str
    status: int = 200
    contains: str | None = None
    values: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """By dotted path into the answer's JSON."""
    present: tuple[str, ...] = ()
    """Dotted paths that the answer's JSON has to have, whatever stands there."""


KINDS: Mapping[str, Expected] = {
    "ollama": Expected("/api/version", present=("version",)),
    "chroma": Expected("/api/v2/heartbeat", present=("nanosecond heartbeat",)),
    "qdrant": Expected("/readyz"),
    "neo4j": Expected("/", present=("neo4j_version",)),
    "n8n": Expected("/healthz/readiness"),
    "flowise": Expected("/api/v1/ping"),
    "langflow": Expected("/health_check", values={"status": "ok"}),
    "dify": Expected("/health", values={"status": "ok"}),
    "prometheus": Expected("/-/ready"),
    "loki": Expected("/ready"),
}
"""The kinds that are a question over HTTP. LangFlow's /health answers before the program is up, so it is not asked."""


def expected_of(probe: Probe) -> Expected:
    """What a probe asks for and expects: what its kind says, and what it says itself over that."""
    kind = KINDS.get(probe.kind, Expected("/"))
    return Expected(
        path=probe.path or kind.path,
        status=probe.status,
        contains=probe.contains or kind.contains,
        values={**kind.values, **probe.expect},
        present=kind.present,
    )


def judge(expected: Expected, status: int, body: str) -> None:
    """Raise `WrongAnswer` for an answer that is not as expected, saying what is wrong with it."""
    if status != expected.status:
        raise WrongAnswer(f"{expected.path} answered {status} and not {expected.status}{_shown(body)}")
    if expected.contains is not None and expected.contains not in body:
        raise WrongAnswer(f"{expected.path} answered without {expected.contains!r}")
    if not (expected.values or expected.present):
        return
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise WrongAnswer(f"{expected.path} did not answer in JSON") from None
    for path in expected.present:
        if _at(answer, path) is MISSING:
            raise WrongAnswer(f"{expected.path} answered without {path}")
    for path, value in expected.values.items():
        found = _at(answer, path)
        # True is 1 in Python, and not in JSON.
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            raise WrongAnswer(f"{expected.path} says {path} is {_words(found)} and not {json.dumps(value)}")


def judge_targets(body: str, job: str) -> None:
    """Raise `WrongAnswer` unless every active target of a scrape job is up.

    Args:
        body: of Prometheus' `/api/v1/targets?state=active`.
        job: its name.
    """
    try:
        targets = json.loads(body)["data"]["activeTargets"]
        of_job = [target for target in targets if target["labels"]["job"] == job]
        down = [target for target in of_job if target["health"] != "up"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WrongAnswer("/api/v1/targets did not answer as Prometheus does") from None
    if not of_job:
        raise WrongAnswer(f"Prometheus has no target of the job {job}")
    if down:
        raise WrongAnswer(f"Prometheus cannot read {len(down)} of {len(of_job)} targets of {job}")


def _at(answer: Any, path: str) -> Any:  # noqa: ANN401
    for part in path.split("."):
        if isinstance(answer, list) and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        elif isinstance(answer, dict) and part in answer:
            answer = answer[part]
        else:
            return MISSING
    return answer


def _words(found: object) -> str:
    return "missing" if found is MISSING else json.dumps(found)[:SHOWN]


def _shown(body: str) -> str:
    line = " ".join(body.split())[:SHOWN]
    return f": {line}" if line and "<" not in line else ""
