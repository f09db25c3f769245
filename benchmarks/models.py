"""How long a plan of 50 models takes against an interface as Ollama's: `python benchmarks/models.py`.

The server is the stand-in of tests/images on loopback, so that what is measured is this program and its questions, one
`/api/show` for each model that is to be warm among them; best of three. Then the pull of one model in some hundred
messages, of which Ollama sends 17 a second, to see that telling of the progress keeps up with the stream.
Fails when a plan takes a second or more.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / folder) for folder in ("unit", "images/stand-in")]

import ollama  # noqa: E402
from ollama_house import House, serving_ollama  # noqa: E402

from sutazai_ops.models.apply import Pull, bring  # noqa: E402
from sutazai_ops.models.ollama import Ollama  # noqa: E402

MODELS = 50
PARTS = 100
LIMIT_SECONDS = 1.0


class Counted:
    """A progress that counts its messages."""

    messages = 0

    @contextmanager
    def step(self, what: str, expected: int | None = None):  # noqa: ARG002, ANN201
        """Count."""

        def advance(_more: int) -> None:
            self.messages += 1

        yield advance


def plan_seconds(house: House) -> float:
    """Seconds of the fastest of three whole plans, the manifest read anew each time."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        ((_, _, plan),) = house.fleet().plans()
        times.append(time.perf_counter() - began)
        assert len({step.model for step in plan.steps}) == MODELS
    return min(times)


def main() -> int:
    """Measure, print, and say by the exit code whether the plan stays under the limit."""
    with tempfile.TemporaryDirectory() as folder:
        server = ollama.Ollama(Path(folder) / "ollama.json", loaded=MODELS, memory=2**40)
        names = [f"model-{number:02}:3b" for number in range(MODELS)]
        for name in names:
            list(server.pulling(name))
        with serving_ollama(server) as port:
            house = House(Path(folder), server, port)
            manifest = "".join(f'"{name}": {{purpose: chat, warm: true, size: 637MB}}\n' for name in names)
            house.write(manifest, memory="1T", loaded=MODELS)
            seconds = plan_seconds(house)
            ollama.MESSAGES, progress = PARTS, Counted()
            began = time.perf_counter()
            bring(Ollama(f"http://127.0.0.1:{port}"), Pull("new:3b"), progress)
            pull = time.perf_counter() - began
    print(f"plan of {MODELS} models, all to be warm   {seconds:6.3f} s   limit {LIMIT_SECONDS} s")
    each = 1000 * pull / progress.messages
    print(f"pull of {progress.messages} messages, told         {each:5.1f} ms each, the stand-in's own part included")
    return int(seconds >= LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
