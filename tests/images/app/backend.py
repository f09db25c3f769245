"""The backend: takes tasks, keeps them in PostgreSQL, queues them in Redis, and asks Ollama.

GET  /health            asks PostgreSQL, Redis and Ollama, and says 503 unless all answer
POST /tasks             {"prompt": …} -> 202 {"id": …}
GET  /tasks             how many tasks there are in each state
GET  /tasks/ID          the task
PUT  /tasks/ID/result   an agent's: {"agent": …, "state": "done"|"failed", "result": …}
POST /chat              {"prompt": …}, answered by Ollama at once
POST /votes             {"vote": "up"|"down"}, what a user thinks of an answer
"""

from __future__ import annotations

import json
import threading
import time

from dependencies import (
    AWAY,
    QUEUE,
    check_ollama,
    check_postgres,
    check_redis,
    health,
    postgres,
    redis_client,
)
from model import generate
from prometheus_client import Counter, Gauge
from service import Answer, Application

SCHEMA = """
    CREATE TABLE IF NOT EXISTS tasks (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        prompt text NOT NULL,
        state text NOT NULL DEFAULT 'queued',
        agent text,
        result text,
        created_at timestamptz NOT NULL DEFAULT now(),
        done_at timestamptz
    )
"""
SCHEMA_LOCK = 4711
"""Two backends that start together would otherwise both create the table, and one would fail."""
DEPTH_SECONDS = 5

DEPTH = Gauge("queue_depth", "Tasks that wait for an agent.", ["queue"])
VOTES = Counter("user_votes_total", "What users thought of answers.", ["vote"])
for kind in ("up", "down"):
    # From the start, so that none is a nought and not an absence.
    VOTES.labels(kind)


class Backend(Application):
    """The backend's routes."""

    def __init__(self) -> None:
        super().__init__(
            {
                ("GET", "/"): self.about,
                ("GET", "/health"): self.health,
                ("POST", "/tasks"): self.create,
                ("GET", "/tasks"): self.count,
                ("GET", "/tasks/{id}"): self.show,
                ("PUT", "/tasks/{id}/result"): self.complete,
                ("POST", "/chat"): self.chat,
                ("POST", "/votes"): self.vote,
            }
        )
        self.has_schema = False
        self.stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self.measure_queue, daemon=True).start()

    def stop(self) -> None:
        self.stopped.set()

    def measure_queue(self) -> None:
        while not self.stopped.wait(DEPTH_SECONDS):
            try:
                DEPTH.labels(QUEUE).set(redis_client().llen(QUEUE))
            # A queue that cannot be asked has no known depth.
            except AWAY:
                DEPTH.labels(QUEUE).set(float("nan"))

    def tasks(self):
        """A connection to a database that has the table."""
        connection = postgres()
        if not self.has_schema:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [SCHEMA_LOCK])
                connection.execute(SCHEMA)
            self.has_schema = True
        return connection

    def about(self, _body: dict[str, object]) -> Answer:
        return Answer({"service": "backend"})

    def health(self, _body: dict[str, object]) -> Answer:
        fine, told = health({"postgres": check_postgres, "redis": check_redis, "ollama": check_ollama})
        return Answer({"status": "ok" if fine else "failed", "dependencies": told}, 200 if fine else 503)

    def create(self, body: dict[str, object]) -> Answer:
        prompt = str(body.get("prompt") or "")
        if not prompt:
            return Answer({"error": "a task needs a prompt"}, 400)
        with self.tasks() as connection:
            task = connection.execute("INSERT INTO tasks (prompt) VALUES (%s) RETURNING id", [prompt]).fetchone()[0]
        redis_client().lpush(QUEUE, json.dumps({"id": task, "prompt": prompt, "queued_at": time.time()}))
        return Answer({"id": task, "state": "queued"}, 202)

    def count(self, _body: dict[str, object]) -> Answer:
        with self.tasks() as connection:
            rows = connection.execute("SELECT state, count(*) FROM tasks GROUP BY state").fetchall()
        return Answer({"states": dict(rows), "queued": redis_client().llen(QUEUE)})

    def show(self, task: int, _body: dict[str, object]) -> Answer:
        columns = ("id", "prompt", "state", "agent", "result", "created_at", "done_at")
        with self.tasks() as connection:
            row = connection.execute(f"SELECT {', '.join(columns)} FROM tasks WHERE id = %s", [task]).fetchone()
        return Answer(dict(zip(columns, row, strict=True))) if row else Answer({"error": "no such task"}, 404)

    def complete(self, task: int, body: dict[str, object]) -> Answer:
        with self.tasks() as connection:
            done = connection.execute(
                "UPDATE tasks SET state = %s, agent = %s, result = %s, done_at = now() WHERE id = %s",
                [body.get("state", "done"), body.get("agent"), body.get("result"), task],
            )
        return Answer({"id": task}) if done.rowcount else Answer({"error": "no such task"}, 404)

    def vote(self, body: dict[str, object]) -> Answer:
        vote = str(body.get("vote"))
        if vote not in {"up", "down"}:
            return Answer({"error": "a vote is up or down"}, 400)
        VOTES.labels(vote).inc()
        return Answer({"vote": vote}, 202)

    def chat(self, body: dict[str, object]) -> Answer:
        return Answer({"answer": generate(str(body.get("prompt", "")))})
