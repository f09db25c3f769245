"""What the real Prometheus computes: promtool, asked for its own values.

promtool says what it got only where that is not what a test expects. So every question is put as a test that cannot
pass, and the values are read from the complaint; an error of the query stands there too.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from promtool_notation import Point, labels, written, written_points

IMPOSSIBLE = {"labels": '{impossible="yes"}', "value": 0}
INTERVAL = "30s"
RULES = "rules.yaml"
_ANSWER = re.compile(
    r'^    (?:name: .*?,)?\s*expr: ".*", time: [^,]*,(?: err: (?P<error>.*)|\s*exp: .*\s*got: (?P<got>.*))$',
    re.MULTILINE,
)
_ELEMENT = re.compile(r'(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) (\S+?)(?:, |$)')

Series = Mapping[str, Sequence[Point]]
"""Values at `INTERVAL`, by series as written."""
Promtool = Callable[[Path], subprocess.CompletedProcess[str]]
"""Runs `promtool test rules` on a file, whose folder it may read."""


@dataclass(frozen=True)
class Question:
    """An expression and when it is asked, in seconds."""

    expression: str
    at: int


@dataclass(frozen=True)
class Failed:
    """The query itself failed."""

    why: str


Answer = dict[str, float] | Failed
"""Values by labels as written."""


def ask(
    promtool: Promtool, folder: Path, cases: Sequence[tuple[Series, Sequence[Question]]], rules: str = ""
) -> list[list[Answer]]:
    """What promtool computes for each question over its series, in their order.

    `rules` is the text of a file of rules, evaluated once a minute from the epoch on, which the questions may be about.
    """
    if rules:
        (folder / RULES).write_text(rules)
    answers: list[list[Answer]] = []
    for number, (series, questions) in enumerate(cases):
        file = folder / f"case-{number}.yaml"
        file.write_text(yaml.safe_dump(failing_tests(series, questions, [RULES] if rules else ()), width=100_000))
        said = promtool(file)
        found = [_answer(match) for match in _ANSWER.finditer(said.stdout + said.stderr)]
        assert len(found) == len(questions) + 1, (
            f"promtool answered otherwise than expected:\n{said.stdout}{said.stderr}"
        )
        answers.append(found[1:])
    return answers


def failing_tests(series: Series, questions: Sequence[Question], rule_files: Sequence[str] = ()) -> dict[str, object]:
    """A file for `promtool test rules` in which every expectation fails.

    The first question is one more, after the end of all series: promtool loads samples up to the last question's whole
    minute, and would leave out those after it.
    """
    end = max(60 * len(points) for points in series.values())
    asked = [Question("vector(0)", max(end, *(one.at + 120 for one in questions))), *questions]
    return {
        "rule_files": list(rule_files),
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": INTERVAL,
                "input_series": [{"series": name, "values": written_points(points)} for name, points in series.items()],
                "promql_expr_test": [
                    {"expr": one.expression, "eval_time": f"{one.at}s", "exp_samples": [IMPOSSIBLE]} for one in asked
                ],
            }
        ],
    }


def _answer(match: re.Match[str]) -> Answer:
    if match["error"] is not None:
        return Failed(match["error"])
    if match["got"] == "nil":
        return {}
    elements = _ELEMENT.findall(match["got"])
    return {canonical(labels(text)): float(value) for text, value in elements}


def canonical(of: Mapping[str, str]) -> str:
    """Labels as a key: in the order of their names."""
    return written(dict(sorted(of.items())))
