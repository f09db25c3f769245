"""What the applications depend on: where it is, by the environment and secret files, and whether it answers.

DATABASE_URL       postgresql://sutazai@postgres:5432/sutazai   without a password
REDIS_URL          redis://redis:6379/0                         without a password
OLLAMA_BASE_URL    http://ollama:11434                          with OLLAMA_MODEL, llama3.2:3b
BACKEND_URL        http://backend:8000
POSTGRES_PASSWORD_FILE, REDIS_PASSWORD_FILE   /run/secrets/postgres-password and redis-password
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psycopg
import redis
from asking import BACKEND_URL, ask
from prometheus_client import Gauge

OLLAMA_URL = os.environ.get("OLLAMA_BASE_URL", "http://ollama:11434")
OLLAMA_MODEL = os.environ.get("OLLAMA_MODEL", "llama3.2:3b")
QUEUE = "agent:tasks"
CHECK_SECONDS = 2
AWAY = (OSError, psycopg.Error, redis.RedisError)
"""What is raised when a dependency is not there."""

UP = Gauge("dependency_up", "Whether it answered when /health was asked last.", ["dependency"])


def password(variable: str, usual: str) -> str | None:
    """What stands in the secret file, or nothing where there is none."""
    file = Path(os.environ.get(variable, usual))
    return file.read_text().strip() if file.exists() else None


def postgres() -> psycopg.Connection:
    """A new connection, whose changes are kept when its `with` block ends well."""
    url = os.environ.get("DATABASE_URL", "postgresql://sutazai@postgres:5432/sutazai")
    secret = password("POSTGRES_PASSWORD_FILE", "/run/secrets/postgres-password")
    return psycopg.connect(url, password=secret, connect_timeout=CHECK_SECONDS)


@cache
def redis_client() -> redis.Redis:
    """The client of the queue, which connects again by itself."""
    url = os.environ.get("REDIS_URL", "redis://redis:6379/0")
    secret = password("REDIS_PASSWORD_FILE", "/run/secrets/redis-password")
    return redis.Redis.from_url(
        url, password=secret, decode_responses=True, socket_connect_timeout=CHECK_SECONDS, socket_timeout=10
    )


def check_postgres() -> None:
    with postgres() as connection:
        connection.execute("SELECT 1")


def check_redis() -> None:
    redis_client().ping()


def check_ollama() -> None:
    ask(f"{OLLAMA_URL}/api/version", seconds=CHECK_SECONDS)


def check_backend() -> None:
    # Not its /health: that the backend lacks its database is the backend's trouble and not one more of ours.
    ask(f"{BACKEND_URL}/", seconds=CHECK_SECONDS)


def health(checks: dict[str, Callable[[], None]]) -> tuple[bool, dict[str, object]]:
    """Ask every dependency now, and tell of each whether and how fast it answered."""
    told: dict[str, object] = {}
    for name, check in checks.items():
        began = time.perf_counter()
        try:
            check()
            told[name] = {"status": "ok", "seconds": round(time.perf_counter() - began, 4)}
            UP.labels(name).set(1)
        except AWAY as error:
            told[name] = {"status": "failed", "error": f"{type(error).__name__}: {str(error).strip()}"}
            UP.labels(name).set(0)
    return all(part["status"] == "ok" for part in told.values()), told  # type: ignore[index]
