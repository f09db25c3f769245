"""An agent: takes tasks from the queue, has Ollama work on them, and tells the backend what came of it.

A task that is taken stands in a list of the agent's own until the backend has its result, so that an agent that is
killed at work finds it there when it is started again. One whose result the backend refuses is given back, and counts
how often.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time

from asking import BACKEND_URL, RefusedError, ask
from dependencies import (
    AWAY,
    QUEUE,
    check_backend,
    check_ollama,
    check_redis,
    health,
    redis_client,
)
from faults import FAULTS
from model import generate
from prometheus_client import Counter, Histogram
from service import Answer, Application

NAME = os.environ.get("AGENT_NAME", "agent")
MINE = f"agent:working:{socket.gethostname()}"
WAIT_SECONDS = 1

TASKS = Counter("agent_tasks_total", "Tasks that came to an end.", ["agent", "status"])
DURATION = Histogram("agent_task_duration_seconds", "Time a task took.", ["agent"], buckets=(0.1, 0.5, 1, 2, 5, 10, 30))


class Agent(Application):
    """An agent's work and its health."""

    def __init__(self) -> None:
        super().__init__({("GET", "/"): self.about, ("GET", "/health"): self.health})
        self.stopped = threading.Event()
        self.worker = threading.Thread(target=self.work)

    def start(self) -> None:
        self.worker.start()

    def stop(self) -> None:
        self.stopped.set()
        self.worker.join()

    def about(self, _body: dict[str, object]) -> Answer:
        return Answer({"service": "agent", "agent": NAME})

    def health(self, _body: dict[str, object]) -> Answer:
        fine, told = health({"backend": check_backend, "redis": check_redis, "ollama": check_ollama})
        fine = fine and self.worker.is_alive()
        body = {"status": "ok" if fine else "failed", "agent": NAME, "dependencies": told}
        return Answer(body, 200 if fine else 503)

    def work(self) -> None:
        returned = False
        while not self.stopped.is_set():
            FAULTS.wait_while_hanging()
            try:
                if not returned:
                    self.return_unfinished()
                    returned = True
                task = redis_client().blmove(QUEUE, MINE, WAIT_SECONDS, "RIGHT", "LEFT")
                if task:
                    self.complete(task)
            # Whatever is away just now, the agent waits for it to come back.
            except AWAY as error:
                print(f"{NAME}: {type(error).__name__}: {error}", flush=True)
                returned = False
                self.stopped.wait(WAIT_SECONDS)

    def return_unfinished(self) -> None:
        while redis_client().lmove(MINE, QUEUE, "RIGHT", "RIGHT"):
            pass

    def complete(self, written: str) -> None:
        task = json.loads(written)
        began = time.perf_counter()
        try:
            FAULTS.delay()
            state, result = "done", generate(task["prompt"])
        except OSError as error:
            state, result = "failed", str(error)
        told = {"agent": NAME, "state": state, "result": result}
        try:
            ask(f"{BACKEND_URL}/tasks/{task['id']}/result", told, method="PUT")
        except RefusedError as error:
            print(f"{NAME}: {error}", flush=True)
            self.give_back(written, task)
            return
        redis_client().lrem(MINE, 1, written)
        TASKS.labels(NAME, state).inc()
        DURATION.labels(NAME).observe(time.perf_counter() - began)

    def give_back(self, written: str, task: dict[str, object]) -> None:
        again = json.dumps({**task, "attempts": int(task.get("attempts", 0)) + 1})
        with redis_client().pipeline(transaction=True) as both:
            both.lrem(MINE, 1, written).rpush(QUEUE, again).execute()
        self.stopped.wait(WAIT_SECONDS)
