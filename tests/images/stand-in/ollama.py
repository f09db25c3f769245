"""What Ollama's interface answers, without a model in it: https://github.com/ollama/ollama/blob/main/docs/api.md.

It starts without models, as Ollama does, and refuses to work with one that was not pulled. A pull takes no network: the
name is written down. What is generated says that it is a stand-in; embeddings follow from the text alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

VERSION = "0.32.15"
KEEP_ALIVE = timedelta(minutes=5)
DIMENSIONS = 768
"""What nomic-embed-text has."""

Json = dict[str, object]
Answer = tuple[int, Iterable[Json]]
_models_file = Path(os.environ.get("OLLAMA_MODELS", "/root/.ollama/models")) / "stand-in.json"
_loaded: dict[str, datetime] = {}
_lock = threading.Lock()


def answer(method: str, path: str, body: Json) -> Answer:
    """The status and the parts of the answer, one line of JSON each when it is streamed."""
    name = _tagged(str(body.get("model") or body.get("name") or ""))
    parts = _of_the_server(method, path, body, name)
    if parts is not None:
        return 200, parts
    if name not in _pulled():
        return 404, [{"error": f"model '{name.removesuffix(':latest')}' not found"}]
    parts = _of_a_model(method, path, body, name)
    return (404, [{"error": "not found"}]) if parts is None else (200, parts)


def _of_the_server(method: str, path: str, body: Json, name: str) -> Iterable[Json] | None:
    match method, path:
        case "GET", "/api/version":
            return [{"version": VERSION}]
        case "GET", "/api/tags":
            return [{"models": [_described(model) for model in _pulled()]}]
        case "GET", "/api/ps":
            return [{"models": list(_running())}]
        case "POST", "/api/pull":
            return _pull(name, streamed=_is_streamed(body))
    return None


def _of_a_model(method: str, path: str, body: Json, name: str) -> Iterable[Json] | None:
    match method, path:
        case "POST", "/api/show":
            return [{"details": _described(name)["details"], "capabilities": ["completion"]}]
        case "DELETE", "/api/delete":
            _write(set(_pulled()) - {name})
            return [{}]
        case "POST", "/api/generate" | "/api/chat" | "/api/embed":
            _load(name, body.get("keep_alive"))
            return _worked(path, name, body)
    return None


def _is_streamed(body: Json) -> bool:
    return body.get("stream", True) is not False


def command(arguments: list[str]) -> int:
    """`ollama list`, `ps`, `pull`, `rm`, `show`: asks the server at OLLAMA_HOST, as the real client does."""
    verb, name = [*arguments, "", ""][:2]
    questions: dict[str, tuple[str, str, Json | None]] = {
        "list": ("GET", "/api/tags", None),
        "ls": ("GET", "/api/tags", None),
        "ps": ("GET", "/api/ps", None),
        "pull": ("POST", "/api/pull", {"model": name, "stream": False}),
        "show": ("POST", "/api/show", {"model": name}),
        "rm": ("DELETE", "/api/delete", {"model": name}),
    }
    if verb not in questions:
        print(f"Error: unknown command {verb!r} for the stand-in of ollama")
        return 1
    method, path, body = questions[verb]
    host = os.environ.get("OLLAMA_HOST", "127.0.0.1:11434").removeprefix("http://").replace("0.0.0.0", "127.0.0.1")
    url = f"http://{host if ':' in host else f'{host}:11434'}{path}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            said = json.load(response)
    except urllib.error.HTTPError as error:
        print(f"Error: {json.load(error)['error']}")
        return 1
    except OSError:
        print("Error: could not connect to ollama server, run 'ollama serve' to start it")
        return 1
    if "models" in said:
        print("NAME\tID\tSIZE")
        for model in said["models"]:
            print(f"{model['name']}\t{model['digest'][:12]}\t{model['size']}")
    else:
        print(said.get("status", "success"))
    return 0


def _tagged(name: str) -> str:
    return name if not name or ":" in name else f"{name}:latest"


def _pulled() -> list[str]:
    try:
        return sorted(json.loads(_models_file.read_text()))
    except FileNotFoundError:
        return []


def _write(models: set[str]) -> None:
    with _lock:
        _models_file.parent.mkdir(parents=True, exist_ok=True)
        _models_file.write_text(json.dumps(sorted(models)))


def _described(model: str) -> Json:
    digest = hashlib.sha256(model.encode()).hexdigest()
    return {
        "name": model,
        "model": model,
        "digest": digest,
        "size": 637_000_000,
        "modified_at": "2026-01-01T00:00:00Z",
        "details": {"format": "gguf", "family": "stand-in", "parameter_size": "1B", "quantization_level": "Q4_0"},
    }


def _pull(name: str, *, streamed: bool) -> Iterable[Json]:
    _write({*_pulled(), name})
    if streamed:
        digest = f"sha256:{_described(name)['digest']}"
        yield {"status": "pulling manifest"}
        yield {"status": f"pulling {digest[7:19]}", "digest": digest, "total": 637_000_000, "completed": 637_000_000}
    yield {"status": "success"}


def _load(name: str, keep_alive: object) -> None:
    if keep_alive in {0, "0", "0s"}:
        _loaded.pop(name, None)
    else:
        _loaded[name] = datetime.now(UTC) + KEEP_ALIVE


def _running() -> Iterable[Json]:
    for name, until in list(_loaded.items()):
        if until > datetime.now(UTC):
            yield {**_described(name), "expires_at": until.isoformat(), "size_vram": 0}


def _worked(path: str, name: str, body: Json) -> Iterable[Json]:
    started = time.perf_counter_ns()
    if path == "/api/embed":
        texts = body.get("input", [])
        texts = [texts] if isinstance(texts, str) else texts
        yield {"model": name, "embeddings": [_embedding(str(text)) for text in texts], "prompt_eval_count": len(texts)}
        return
    prompt = str(body.get("prompt") or body.get("messages") or "")
    text = f"stand-in for {name}: {prompt[:200]}" if prompt else ""
    head = {"model": name, "created_at": datetime.now(UTC).isoformat()}

    def part(words: str) -> Json:
        return {"response": words} if path == "/api/generate" else {"message": {"role": "assistant", "content": words}}

    figures = {"load_duration": 1, "prompt_eval_count": len(prompt.split()), "eval_count": len(text.split())}
    if _is_streamed(body):
        for word in text.split(" "):
            yield {**head, **part(f"{word} "), "done": False}
        text = ""
    spent = time.perf_counter_ns() - started
    yield {
        **head,
        **part(text),
        "done": True,
        "done_reason": "stop",
        "total_duration": spent,
        "eval_duration": spent,
        **figures,
    }


def _embedding(text: str) -> list[float]:
    numbers = b"".join(hashlib.sha256(f"{index}:{text}".encode()).digest() for index in range(DIMENSIONS // 32))
    centred = [number - 127.5 for number in numbers]
    length = math.hypot(*centred)
    return [round(number / length, 6) for number in centred]
