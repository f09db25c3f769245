"""Writes down what a real Prometheus answers, for tests that run where there is none.

    python tests/promql/promql_recorded.py PATH_OF_PROMTOOL

Debian has a package `promtool`; of the answers that are kept, its name and version stand in the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from promql_cases import EXPRESSIONS, RECORDED_AT, SERIES, questions
from promtool import Answer, Failed, ask

FILE = Path(__file__).with_name("prometheus-3.json")


def read() -> list[Answer]:
    """The recorded answers, in the order of `questions(RECORDED_AT)`."""
    recorded = json.loads(FILE.read_text())["answers"]
    return [
        Failed("") if answer == "failed" else {labels: float(value) for labels, value in answer.items()}
        for expression in EXPRESSIONS
        for answer in recorded[expression]
    ]


def main() -> None:
    """Ask the promtool that the command line names."""
    promtool = sys.argv[1]
    version = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]

    def run(file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

    asked = questions(RECORDED_AT)
    with tempfile.TemporaryDirectory() as folder:
        (answers,) = ask(run, Path(folder), [(SERIES, asked)])
    by_expression: dict[str, list[object]] = {expression: [] for expression in EXPRESSIONS}
    for question, answer in zip(asked, answers, strict=True):
        by_expression[question.expression].append(
            "failed" if isinstance(answer, Failed) else {labels: repr(value) for labels, value in answer.items()}
        )
    lines = [f" {json.dumps(one)}: {json.dumps(found)}" for one, found in by_expression.items()]
    FILE.write_text(f'{{"promtool": "{version}", "answers": {{\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
