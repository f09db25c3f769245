"""Has the language model answer, and measures it: Ollama itself exports nothing."""

from __future__ import annotations

import time

from asking import ask
from dependencies import OLLAMA_MODEL, OLLAMA_URL
from prometheus_client import Counter, Histogram

EDGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DURATION = Histogram(
    "llm_request_duration_seconds", "From the question to the end of the answer.", ["model"], buckets=EDGES
)
TOKENS = Counter("llm_tokens_total", "Tokens of questions and answers.", ["model", "kind"])
COUNTS = {"prompt": "prompt_eval_count", "answer": "eval_count"}
"""By kind, how Ollama's answer calls it."""


def generate(prompt: str) -> str:
    """The model's answer."""
    began = time.perf_counter()
    said = ask(f"{OLLAMA_URL}/api/generate", {"model": OLLAMA_MODEL, "prompt": prompt, "stream": False})
    DURATION.labels(OLLAMA_MODEL).observe(time.perf_counter() - began)
    for kind, key in COUNTS.items():
        TOKENS.labels(OLLAMA_MODEL, kind).inc(said.get(key, 0))
    return said["response"]
