"""Bounded traffic on loopback, as users make it: whether each request was answered, and each task done."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import requests

EVERY_SECONDS = 0.5
TASK_EACH = 4
"""Of so many requests one gives a task, the others ask how many there are."""
TIMEOUT_SECONDS = 2.0
AT_ONCE = 8
"""Requests that may wait for an answer; more are counted as lost and not made, so that nothing is flooded."""


@dataclass(frozen=True, slots=True)
class Request:
    """One that was made, or would have been."""

    at: float
    ok: bool


@dataclass
class Traffic:
    """Two requests a second while its context lasts."""

    address: str
    requests: list[Request] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    """Those that were accepted."""

    def __enter__(self) -> Self:
        self._stopped = threading.Event()
        self._waiting = threading.Semaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._pool.shutdown()

    def is_served(self, seconds: float, now: float) -> bool:
        """Whether every request of the last seconds was answered, and there were some."""
        last = [one.ok for one in list(self.requests) if now - one.at <= seconds]
        return len(last) >= seconds / EVERY_SECONDS / 2 and all(last)

    def during(self, start: float, end: float) -> tuple[int, int]:
        """How many requests there were between two moments, and how many of them failed."""
        found = [one.ok for one in list(self.requests) if start <= one.at <= end]
        return len(found), found.count(False)

    def give_task(self, seconds: float = TIMEOUT_SECONDS) -> int | None:
        """Have something done; its number, or None where it is not accepted."""
        answer = _asked("POST", f"{self.address}/tasks", seconds)
        if answer is None:
            return None
        number = int(answer["id"])
        self.tasks.append(number)
        return number

    def state_of(self, task: int) -> str:
        """`done`, `failed`, `queued`; empty where there is no such task or nobody answers."""
        answer = _asked("GET", f"{self.address}/tasks/{task}", TIMEOUT_SECONDS)
        return str(answer["state"]) if answer else ""

    def _go_on(self) -> None:
        turn = 0
        while not self._stopped.wait(EVERY_SECONDS):
            turn += 1
            if self._waiting.acquire(blocking=False):
                self._pool.submit(self._make, turn, time.monotonic())
            else:
                self.requests.append(Request(time.monotonic(), ok=False))

    def _make(self, turn: int, begun: float) -> None:
        try:
            if turn % TASK_EACH == 0:
                ok = self.give_task() is not None
            else:
                ok = _asked("GET", f"{self.address}/tasks", TIMEOUT_SECONDS) is not None
        finally:
            self._waiting.release()
        self.requests.append(Request(begun, ok))


def _asked(method: str, url: str, seconds: float) -> dict[str, object] | None:
    body = {"prompt": "two and two"} if method == "POST" else None
    try:
        answer = requests.request(method, url, json=body, timeout=seconds)
        return dict(answer.json()) if answer.ok else None
    except (requests.RequestException, ValueError):
        return None
