"""What Ollama's interface answers, without a model in it: https://docs.ollama.com/api.

It starts without models, as Ollama does, and refuses to work with one that was not pulled. A pull takes no network: any
name is known to its registry, layer by layer with digests, and what has arrived stays where a pull breaks off. It holds
as many models in memory as it is told, and puts the one out that would leave soonest when another one needs the room.
What is generated says that it is a stand-in; embeddings follow from the text alone.

On demand (`POST /stand-in/ollama`, or the attributes of `Faults`) a pull breaks off half-way, a tag means another
digest than before, a name is missing, the disk is full, and answers are slow.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

VERSION = "0.32.15"
KEEP_ALIVE = timedelta(minutes=5)
FOR_EVER = timedelta(days=106_751)
"""What Go's longest duration comes to, which Ollama shows for -1."""
DIMENSIONS = 768
"""What nomic-embed-text has."""
MESSAGES = 8
"""Of a pull, for each layer."""
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}

Json = dict[str, object]
Answer = tuple[int, Iterable[Json]]
SIZES = {"tinyllama:latest": 637_000_000, "llama3.2:3b": 2_019_000_000, "nomic-embed-text:latest": 274_000_000}
SHAPE = {"block_count": 28, "attention.head_count": 24, "attention.head_count_kv": 8, "embedding_length": 3072,
         "attention.key_length": 128, "attention.value_length": 128, "context_length": 131_072}  # fmt: skip
"""That of llama3.2:3b, which every model of words here has."""


class BrokenOffError(Exception):
    """The server hangs up within its answer."""


@dataclass
class Faults:
    """What goes wrong on demand."""

    break_pull_at: float | None = None
    """The share of the whole at which the next pull breaks off; once."""
    moved: list[str] = field(default_factory=list)
    """Names whose tag means something new since they were pulled last."""
    missing: list[str] = field(default_factory=list)
    """Names that the registry does not know."""
    disk: int | None = None
    """Bytes that fit on the disk altogether."""
    seconds_a_message: float = 0
    """How slowly a pull goes."""
    seconds_a_word: float = 0
    """How slowly an answer comes."""
    seconds_to_load: float = 0


@dataclass
class Running:
    """A model in memory."""

    size: int
    until: datetime
    stays: timedelta
    context: int


class Ollama:
    """One server."""

    def __init__(
        self, file: Path, *, memory: int | None = None, loaded: int = 3, parallel: int = 1, context: int = 4096
    ) -> None:
        self.file, self.memory, self.loaded, self.parallel, self.context = file, memory, loaded, parallel, context
        self.faults, self.running, self.evicted = Faults(), {}, []
        self.asked: list[tuple[str, str]] = []
        """Each question: path and model."""
        self.pulled_bytes = 0
        """What came over the network, all pulls together."""
        self._lock, self._pulls = threading.RLock(), threading.Semaphore()

    def answer(self, method: str, path: str, body: Json) -> Answer:
        """The status and the parts of the answer, one line of JSON each when it is streamed."""
        name = tagged(str(body.get("model") or body.get("name") or ""))
        self.asked.append((path, name))
        parts = self._of_the_server(method, path, body, name)
        if isinstance(parts, tuple):
            return parts
        if parts is not None:
            return 200, parts
        if name not in self._models():
            return 404, [{"error": f"model '{name.removesuffix(':latest')}' not found"}]
        if path == "/api/generate" and not makes_words(name) and (body.get("prompt") or body.get("keep_alive") != 0):
            return 400, [{"error": f'"{name}" does not support generate'}]
        parts = self._of_a_model(method, path, body, name)
        return (404, [{"error": "not found"}]) if parts is None else (200, parts)

    def _of_the_server(self, method: str, path: str, body: Json, name: str) -> Iterable[Json] | Answer | None:
        match method, path:
            case "GET", "/api/version":
                return [{"version": VERSION}]
            case "GET", "/api/tags":
                return [{"models": [described(model, digest) for model, digest in sorted(self._models().items())]}]
            case "GET", "/api/ps":
                return [{"models": list(self._in_memory())}]
            case "POST", "/api/pull":
                return self._pull(name, streamed=is_streamed(body))
            case "POST", "/api/copy":
                return self._copy(tagged(str(body.get("source"))), tagged(str(body.get("destination"))))
        return self._told(body) if path == "/stand-in/ollama" else None

    def _told(self, body: Json) -> Iterable[Json]:
        """What shall go wrong from now on, and what came over the network so far."""
        for one in fields(Faults):
            if one.name in body:
                setattr(self.faults, one.name, body[one.name])
        return [{**vars(self.faults), "pulled_bytes": self.pulled_bytes}]

    def _of_a_model(self, method: str, path: str, body: Json, name: str) -> Iterable[Json] | None:
        match method, path:
            case "POST", "/api/show":
                return [shown(name, self._models()[name])]
            case "DELETE", "/api/delete":
                self._change(lambda kept: kept["models"].pop(name))
                self.running.pop(name, None)
                return [{}]
            case "POST", "/api/generate" | "/api/chat" | "/api/embed":
                return self._worked(path, name, body, self._load(name, body))
        return None

    # What is on the disk.

    def _pull(self, name: str, *, streamed: bool) -> Iterable[Json] | Answer:
        if name in self.faults.missing:
            # Nothing was said yet, so the status tells; later in a stream, a line does.
            said = {"error": "pull model manifest: file does not exist"}
            return 200 if streamed else 500, [{"status": "pulling manifest"}, said] if streamed else [said]
        parts = self._shared(name)
        if streamed:
            return parts
        last = list(parts)[-1]
        return (500 if "error" in last else 200), [last]

    def _shared(self, name: str) -> Iterator[Json]:
        """Two calls at once are one download: the second goes on where the first one ends."""
        with self._pulls:
            yield from self.pulling(name)

    def pulling(self, name: str) -> Iterator[Json]:
        yield {"status": "pulling manifest"}
        layers = layers_of(name, self._version(name))
        whole, arrived = sum(layers.values()), 0
        for layer, total in layers.items():
            completed = self._kept()["partial"].get(layer, 0)
            while True:
                part = {"status": f"pulling {layer[7:19]}", "digest": layer, "total": total}
                yield part | ({"completed": completed} if completed else {})
                if completed == total:
                    break
                time.sleep(self.faults.seconds_a_message)
                more = min(total - completed, max(1, total // MESSAGES))
                if self.faults.disk is not None and self._used() + more > self.faults.disk:
                    yield {"error": f"write {self.file.parent}/blobs/{layer[7:]}-partial: no space left on device"}
                    return
                completed += more
                self.pulled_bytes += more
                self._change(lambda kept, layer=layer, completed=completed: kept["partial"].update({layer: completed}))
                if self.faults.break_pull_at is not None and arrived + completed >= whole * self.faults.break_pull_at:
                    self.faults.break_pull_at = None
                    raise BrokenOffError
            arrived += total
        for status in ("verifying sha256 digest", "writing manifest"):
            yield {"status": status}
        digest = digest_of(name, self._version(name))
        self._change(lambda kept: kept["models"].update({name: digest}))
        yield {"status": "success"}

    def _version(self, name: str) -> int:
        """Which of the things that the tag has meant."""
        return self.faults.moved.count(name)

    def _copy(self, source: str, destination: str) -> Answer:
        if source not in self._models():
            return 404, [{"error": f"model '{source}' not found"}]
        self._change(lambda kept: kept["models"].update({destination: kept["models"][source]}))
        return 200, [{}]

    def _models(self) -> dict[str, str]:
        return self._kept()["models"]

    def _used(self) -> int:
        return sum(self._kept()["partial"].values())

    def _kept(self) -> dict[str, dict]:
        with self._lock:
            try:
                return json.loads(self.file.read_text())
            except FileNotFoundError:
                return {"models": {}, "partial": {}}

    def _change(self, change) -> None:
        with self._lock:
            kept = self._kept()
            change(kept)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(kept))

    # What is in memory.

    def _load(self, name: str, body: Json) -> float:
        """Have it in memory as asked; the seconds that it took."""
        began = time.perf_counter()
        with self._lock:
            self._forget()
            stays = duration(body.get("keep_alive"))
            context = int((body.get("options") or {}).get("num_ctx") or self.context)
            standing = self.running.get(name)
            if stays == timedelta(0):
                self.running.pop(name, None)
                return 0.0
            if standing is None or standing.context != context:
                self.running.pop(name, None)
                size = memory_of(name, context * (self.parallel if makes_words(name) else 1))
                self._make_room(size)
                time.sleep(self.faults.seconds_to_load)
                self.running[name] = Running(size, datetime.now(UTC) + stays, stays, context)
            else:
                # Without one in the question, the time that was given before holds on.
                stays = stays if "keep_alive" in body else standing.stays
                standing.stays, standing.until = stays, datetime.now(UTC) + stays
        return time.perf_counter() - began

    def _make_room(self, size: int) -> None:
        while self.running and (
            len(self.running) >= self.loaded
            or (self.memory is not None and size + sum(one.size for one in self.running.values()) > self.memory)
        ):
            # The one with the shortest time goes first, as in Ollama's scheduler.
            gone = min(self.running, key=lambda name: (self.running[name].stays, self.running[name].until))
            del self.running[gone]
            self.evicted.append(gone)

    def _forget(self) -> None:
        for name in [name for name, one in self.running.items() if one.until <= datetime.now(UTC)]:
            del self.running[name]

    def _in_memory(self) -> Iterator[Json]:
        with self._lock:
            self._forget()
            models = self._models()
            for name, one in self.running.items():
                told = {"expires_at": one.until.isoformat(), "size": one.size, "size_vram": 0}
                yield {**described(name, models.get(name, "")), **told, "context_length": one.context}

    def _worked(self, path: str, name: str, body: Json, load_seconds: float) -> Iterable[Json]:
        load = {"load_duration": round(load_seconds * 1e9)}
        if path == "/api/embed":
            texts = body.get("input", [])
            texts = [texts] if isinstance(texts, str) else list(texts)
            vectors = [embedding(name, str(text)) for text in texts if text]
            yield {"model": name, "embeddings": vectors, "prompt_eval_count": len(texts), **load}
            return
        prompt = str(body.get("prompt") or body.get("messages") or "")
        head = {"model": name, "created_at": datetime.now(UTC).isoformat()}
        if not prompt:
            gone = body.get("keep_alive") == 0
            yield {**head, "response": "", "done": True, "done_reason": "unload" if gone else "load"}
            return
        started = time.perf_counter_ns()
        text = f"stand-in for {name}: {prompt[:200]}"

        def part(words: str) -> Json:
            return (
                {"response": words} if path == "/api/generate" else {"message": {"role": "assistant", "content": words}}
            )

        words = text.split(" ")
        for word in words:
            time.sleep(self.faults.seconds_a_word)
            if is_streamed(body):
                yield {**head, **part(f"{word} "), "done": False}
        spent = time.perf_counter_ns() - started
        yield {
            **head,
            **part("" if is_streamed(body) else text),
            "done": True,
            "done_reason": "stop",
            "total_duration": spent + load["load_duration"],
            "prompt_eval_count": len(prompt.split()),
            "eval_count": len(words),
            "eval_duration": max(spent, 1),
            **load,
        }


def tagged(name: str) -> str:
    return name if not name or ":" in name else f"{name}:latest"


def is_streamed(body: Json) -> bool:
    return body.get("stream", True) is not False


def makes_words(name: str) -> bool:
    return "embed" not in name


def duration(value: object) -> timedelta:
    """How long a model is to stay, as Ollama reads it: seconds, or text with a unit; below zero is for ever."""
    if value is None:
        return KEEP_ALIVE
    if isinstance(value, str):
        parts = re.findall(r"(-?\d+(?:\.\d+)?)(ms|s|m|h)", value)
        value = sum(float(number) * UNITS[unit] for number, unit in parts)
    return FOR_EVER if value < 0 else timedelta(seconds=value)


def size_of(name: str) -> int:
    """Bytes of a model; one of 8 bits has nearly twice those of the usual 4.8."""
    if "-before-" in name:
        return size_of(name.partition("-before-")[0])
    usual = SIZES.get(name.removesuffix("-q8_0"), 637_000_000)
    return usual * 5 // 3 if name.endswith("-q8_0") else usual


def layers_of(name: str, version: int) -> dict[str, int]:
    """The layers of a name by digest, with their bytes: the weights, and the small ones beside them."""
    small = {"template": 1_429, "license": 7_711, "params": 96}
    parts = {"weights": size_of(name) - sum(small.values()), **small}
    return {f"sha256:{hashlib.sha256(f'{name} {version} {part}'.encode()).hexdigest()}": n for part, n in parts.items()}


def digest_of(name: str, version: int) -> str:
    """The digest of the manifest, which lists the layers."""
    return hashlib.sha256(" ".join(layers_of(name, version)).encode()).hexdigest()


def described(model: str, digest: str) -> Json:
    quantization = "F16" if not makes_words(model) else "Q8_0" if "q8_0" in model else "Q4_K_M"
    details = {"format": "gguf", "family": "stand-in", "parameter_size": "3.2B", "quantization_level": quantization}
    return {
        "name": model,
        "model": model,
        "digest": digest,
        "size": size_of(model),
        "modified_at": "2026-01-01T00:00:00.123456789Z",
        "details": details,
    }


def shown(model: str, digest: str) -> Json:
    facts = SHAPE if makes_words(model) else {"embedding_length": DIMENSIONS, "context_length": 2048, "block_count": 12}
    return {
        "details": described(model, digest)["details"],
        "model_info": {
            "general.architecture": "stand-in",
            **{f"stand-in.{key}": value for key, value in facts.items()},
        },
        "capabilities": ["completion"] if makes_words(model) else ["embedding"],
    }


def memory_of(name: str, tokens: int) -> int:
    """The weights, and for words keys and values of each layer in 16 bits, and what is computed in."""
    cache = SHAPE["block_count"] * SHAPE["attention.head_count_kv"] * 256 * 2 * tokens if makes_words(name) else 0
    return round((size_of(name) + cache) * 1.05)


def embedding(name: str, text: str) -> list[float]:
    """Nearly the same for two quantizations of one model, and another one for another text."""
    numbers = b"".join(hashlib.sha256(f"{index}:{text}".encode()).digest() for index in range(DIMENSIONS // 32))
    noise = hashlib.sha256(name.encode()).digest()[0] / 255
    centred = [number - 127.5 + noise for number in numbers]
    length = math.hypot(*centred)
    return [round(number / length, 6) for number in centred]


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


def from_environment() -> Ollama:
    """As the variables of the real one say."""
    folder = Path(os.environ.get("OLLAMA_MODELS", "/root/.ollama/models"))
    number = {name: int(os.environ.get(f"OLLAMA_{name}") or 0) for name in ("MAX_LOADED_MODELS", "NUM_PARALLEL")}
    return Ollama(
        folder / "stand-in.json", loaded=number["MAX_LOADED_MODELS"] or 3, parallel=number["NUM_PARALLEL"] or 1
    )


def respond(handler, ollama: Ollama, path: str, body: Json) -> None:
    """Answer a question on a connection of http.server, line by line where that is asked for."""
    status, parts = ollama.answer(handler.command, path, body)
    is_stream = path in {"/api/pull", "/api/generate", "/api/chat"} and is_streamed(body) and status == 200
    handler.send_response(status)
    handler.send_header("Content-Type", "application/x-ndjson" if is_stream else "application/json")
    if not is_stream:
        content = json.dumps(list(parts)[-1]).encode()
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        return
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        for part in parts:
            line = json.dumps(part).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")
    except BrokenOffError:
        handler.close_connection = True
