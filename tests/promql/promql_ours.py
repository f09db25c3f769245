"""The same questions, answered by this program."""

from __future__ import annotations

import math
from collections.abc import Iterable

from promtool import Answer, Failed, Question, Series, canonical
from promtool_notation import labels

from sutazai_ops.monitoring.promql import CannotMatch, Sample, Samples, evaluate

KEEP_SECONDS = 30 * 86400.0


def load(series: Series, interval: float = 30.0) -> Samples:
    """Samples as promtool loads them."""
    samples = Samples(KEEP_SECONDS)
    add(samples, series, interval)
    return samples


def add(samples: Samples, series: Series, interval: float) -> None:
    """Add series from the epoch on, each for itself, so that a gap in one ends none."""
    for text, line in series.items():
        own = labels(text)
        name = own.pop("__name__")
        for number, point in enumerate(line):
            if point is not None:
                snapshot = [] if point == "stale" else [Sample(name, own, point)]
                samples.add(number * interval, snapshot, source=text)


def answer(samples: Samples, question: Question) -> Answer:
    """What this program computes."""
    try:
        return {canonical(one.labels): one.value for one in evaluate(question.expression, samples, question.at)}
    except CannotMatch as error:
        return Failed(error.what)


def agree(ours: Answer, theirs: Answer) -> bool:
    """Whether both failed, or both have the same elements with the same values but for rounding."""
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return isinstance(ours, Failed) and isinstance(theirs, Failed)
    return ours.keys() == theirs.keys() and all(_close(value, theirs[key]) for key, value in ours.items())


def _close(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def disagreements(samples: Samples, questions: Iterable[Question], theirs: Iterable[Answer]) -> list[str]:
    """Every question on which the two differ, in words."""
    return [
        f"{question.expression} at {question.at} s\n  here       {ours}\n  Prometheus {their}"
        for question, their in zip(questions, theirs, strict=True)
        if not agree(ours := answer(samples, question), their)
    ]
