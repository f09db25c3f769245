"""Judging an HTTP answer against what is expected of it. Nothing here asks anything.

Of an answer's text no word is repeated, since an error page may show anything; of its JSON, the values that the probe
itself names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sutazai_ops.monitoring.probes.outcome import right, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.http import Answer
    from sutazai_ops.monitoring.probes.outcome import Judgement

Scalar = str | int | float | bool
SHOWN = 80
"""How many characters of a value a person is shown."""
MISSING = object()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an answer has to be like."""

    status: int = 200
    contains: tuple[str, ...] = ()
    """Texts that its body has to hold."""
    values: Mapping[str, Scalar] = field(default_factory=dict)
    """Values that the body, read as JSON, has to have, by dotted path; a number stands for a place in a list."""
    present: tuple[str, ...] = ()
    """Dotted paths at which there has to be something; what stands there is told as a fact."""
    page: bool = True
    """Whether a web page may be the answer: a proxy, or an application that knows no such address, sends one as 200."""


def judge(answer: Answer, expected: Expectation) -> Judgement:
    """Whether the answer is as expected, and the first way in which it is not."""
    if answer.status != expected.status:
        elsewhere = f" and sends us to {answer.location}" if answer.location else ""
        return wrong(f"it answers {answer.status}{elsewhere}, not {expected.status}", status=str(answer.status))
    text = answer.body.decode("utf-8", errors="replace")
    if not expected.page and text.lstrip("\ufeff \t\r\n").startswith("<"):
        return wrong("it answers with a web page in the place of its health")
    for part in expected.contains:
        if part not in text:
            looked = "" if answer.whole else f" in its first {len(answer.body)} bytes"
            return wrong(f"its answer does not hold {part!r}{looked}")
    if not expected.values and not expected.present:
        return right(f"it answers {answer.status}")
    return _judge_json(answer, expected)


def value_at(content: object, path: str) -> Any:  # noqa: ANN401
    """What stands at a dotted path of a JSON value; `MISSING` where nothing does. A key that holds dots wins.

    >>> value_at({"status": {"nodes": [{"up": True}]}}, "status.nodes.0.up")
    True
    """
    if isinstance(content, dict):
        if path in content:
            return content[path]
        key, dot, rest = path.partition(".")
        return value_at(content[key], rest) if dot and key in content else MISSING
    if isinstance(content, list):
        key, dot, rest = path.partition(".")
        if key.isdecimal() and int(key) < len(content):
            return value_at(content[int(key)], rest) if dot else content[int(key)]
    return MISSING


def is_same(found: object, wanted: Scalar) -> bool:
    """Whether a JSON value is the one that is wanted. True is not 1, as in JSON, though Python thinks so; 1.0 is 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return isinstance(found, str | int | float) and found == wanted


def _judge_json(answer: Answer, expected: Expectation) -> Judgement:
    if not answer.whole:
        return wrong(f"its answer is longer than {len(answer.body)} bytes, so it was not read as JSON")
    try:
        content = content_of(answer)
    except ValueError:
        return wrong("its answer is not JSON")
    for path, wanted in expected.values.items():
        found = value_at(content, path)
        if found is MISSING:
            return wrong(f"its answer has no {path}")
        if not is_same(found, wanted):
            return wrong(f"{path} is {shown(found)}, not {shown(wanted)}")
    for path in expected.present:
        if value_at(content, path) is MISSING:
            return wrong(f"its answer has no {path}")
    told = {path: shown(value_at(content, path)) for path in expected.present}
    because = ", ".join(f"{path} is {shown(wanted)}" for path, wanted in expected.values.items())
    because = because or ", ".join(f"{path} {value}" for path, value in told.items())
    return right(f"it answers {answer.status}, {because}", **told)


def content_of(answer: Answer) -> Any:  # noqa: ANN401
    """The answer read as JSON; raises `ValueError` where it is none. What is no UTF-8 in it is passed over."""
    try:
        return json.loads(answer.body.decode("utf-8", errors="replace"))
    except RecursionError:
        raise ValueError from None


def shown(value: object) -> str:
    """A JSON value for people, shortened."""
    # Not their content: whoever nests deep enough to be just read cannot be written again.
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
