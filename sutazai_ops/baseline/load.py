"""Has Locust ask: bounded in rate and in time, in a process of its own, and never longer than it was given.

https://docs.locust.io/en/stable/running-without-web-ui.html
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sutazai_ops.baseline.figures import Answers
from sutazai_ops.disk import write_whole
from sutazai_ops.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
PATIENCE_SECONDS = 30
"""How long one answer is waited for."""
EACH_SECONDS = 2
"""How long an answer is expected to take at most, so that there are users enough to keep the rate up."""
MOST_USERS = 200
STARTING_SECONDS = 60
"""How much longer than asked for it may take in all, with its start and its last answers."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is asked."""

    rate: float
    """Requests a second, of all kinds together."""
    seconds: int

    @property
    def users(self) -> int:
        """How many ask side by side."""
        return max(1, min(MOST_USERS, round(self.rate * EACH_SECONDS)))


def ask(requests: Sequence[Mapping[str, Any]], bounds: Bounds, look: Callable[[], None]) -> dict[str, Answers]:
    """Ask, and return how each kind of request was answered, by its name.

    Args:
        requests: each with name, method, url, body, headers, weight, and the status codes that are right.
        bounds: how often and how long.
        look: called about once a second meanwhile.

    Raises:
        ToolMissing: where Locust is not installed.
        CommandFailed: where it did not run; carries its last words.
    """
    if importlib.util.find_spec("locust") is None:
        raise ToolMissing(
            "Locust is not installed, which does the asking",
            remedy="install it beside this program: .venv/bin/python -m uv sync --inexact --extra load",
        )
    with tempfile.TemporaryDirectory(prefix="baseline-") as folder:
        order, answers = Path(folder, "order.json"), Path(folder, "answers.json")
        whole = {
            "requests": list(requests),
            "rate": bounds.rate,
            "users": bounds.users,
            "patience": PATIENCE_SECONDS,
            "answers": str(answers),
        }
        write_whole(order, json.dumps(whole).encode())
        words = _run(_command(bounds), order, bounds, look)
        if not answers.is_file():
            raise CommandFailed(f"Locust did not run: {words.strip().splitlines()[-1] if words.strip() else 'no word'}")
        found = json.loads(answers.read_bytes())
    return {name: Answers(one["seconds"], one["failures"]) for name, one in found.items()}


def _command(bounds: Bounds) -> list[str]:
    users = str(bounds.users)
    return [
        sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--headless", "--only-summary",
        "--users", users, "--spawn-rate", users, "--run-time", f"{bounds.seconds}s", "--stop-timeout", "10",
        "--exit-code-on-error", "0", "--loglevel", "ERROR",
    ]  # fmt: skip


def _run(command: Sequence[str], order: Path, bounds: Bounds, look: Callable[[], None]) -> str:
    environment = os.environ | {"SUTAZAI_BASELINE_ORDER": str(order)}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=order.parent)
        try:
            for _ in range(bounds.seconds + STARTING_SECONDS):
                look()
                try:
                    process.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        log.seek(0)
        return log.read().decode(errors="replace")
