"""What Locust runs: users who ask what the order says, at its rate, and write down how long each answer took.

`load.py` starts it; the order and the answers are files, so that neither an address nor a header is in an argument.
"""

import json
import os
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from locust import HttpUser, constant_throughput, events, task

ORDER = json.loads(Path(os.environ["SUTAZAI_BASELINE_ORDER"]).read_text(encoding="utf-8"))
WEIGHTS = [one["weight"] for one in ORDER["requests"]]
seconds: dict[str, list[float]] = defaultdict(list)
failures: dict[str, Counter[str]] = defaultdict(Counter)


class User(HttpUser):
    """One who asks; all of them together ask as often as the order says."""

    host = "http://127.0.0.1"
    wait_time = constant_throughput(ORDER["rate"] / ORDER["users"])

    @task
    def ask(self) -> None:
        """Ask one thing, drawn by weight."""
        (one,) = random.choices(ORDER["requests"], WEIGHTS)  # noqa: S311  (no secret depends on it)
        with self.client.request(
            one["method"],
            one["url"],
            name=one["name"],
            json=one["body"],
            headers=one["headers"],
            timeout=ORDER["patience"],
            allow_redirects=False,
            catch_response=True,
        ) as answer:
            if answer.status_code and answer.status_code not in one["status"]:
                answer.failure(f"status {answer.status_code}")


@events.request.add_listener  # type: ignore[untyped-decorator]
def note(name: str, response_time: float, exception: BaseException | str | None, **_: Any) -> None:  # noqa: ANN401
    """Keep how long it took, and in a word how it failed: an error's own text would name addresses."""
    seconds[name].append(response_time / 1000)
    if exception is not None:
        words = str(exception)
        failures[name][words if words.startswith("status ") else type(exception).__name__] += 1


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def write(**_: Any) -> None:  # noqa: ANN401
    """Hand over what was kept."""
    names = sorted({*seconds, *failures})
    answers = {name: {"seconds": sorted(seconds[name]), "failures": failures[name]} for name in names}
    Path(ORDER["answers"]).write_text(json.dumps(answers), encoding="utf-8")
