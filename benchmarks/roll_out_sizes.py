"""How the plan, a deployment of nothing, and the state grow with the platform: `python benchmarks/roll_out_sizes.py`.

Of 30, 100 and 300 services in the shape of the packaged platform, from files on the disk, against an engine whose
containers are only written down (tests/unit/recorded_engine.py): what is measured is this program without Docker, which
`roll_out.py` measures with it. Beside it `docker compose config` over the same files, which is how one would otherwise
see what they mean; where that command is not there, it is left out. Each figure is the median of five, in seconds of
processor, so that what else the machine does counts little, and ours in one interpreter, so that its start does not
count. Goal: per service no more at 300 than at 30.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import roll_out

sys.path.append(str(Path(__file__).parents[1] / "tests" / "unit"))

from recorded_engine import RecordedEngine

from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.deployment.standing import look
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import DeploySettings, Loaded, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (30, 100, 300)
ROUNDS = 5


def main() -> None:
    """Measure and print."""
    print(f"{'services':>8} {'plan':>9} {'no-op':>9} {'status':>9} {'compose config':>15}")
    first: list[float] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            taken = measure(Path(folder), size)
        config = f"{taken[-1]:12.2f} s" if has_compose() else "not measured"
        print(f"{size:>8} {taken[0]:7.2f} s {taken[1]:7.2f} s {taken[2]:7.2f} s {config:>15}")
        first = first or [one / size for one in taken]
    worst = max(a / size / b for a, b in zip(taken[:3], first, strict=False))
    print(f"per service at {size}, of that at {SIZES[0]}: at most {worst:.2f}   goal: at most 1.00, which is linear")


def measure(folder: Path, size: int) -> list[float]:
    """Seconds of processor of a plan, a deployment of nothing, the state, and Compose reading the same files."""
    platform, home = folder / "platform", folder / "home"
    platform.mkdir()
    roll_out.SERVICES = size
    roll_out.write(platform, "sizes", 0)
    settings = Settings(home=home, platform=platform, deploy=DeploySettings(settle_seconds=0))
    engine = RecordedEngine(Installation(Loaded(settings=settings, origins={})).platform)

    def opened() -> Installation:
        # Each time anew, as each command does: the files are read again.
        here = Installation(Loaded(settings=settings, origins={}))
        here.__dict__["engine"] = engine
        return here

    Deployments.of(opened()).deploy(Silent())
    return [
        median(lambda: Deployments.of(opened()).plan()),
        median(lambda: Deployments.of(opened()).deploy(Silent())),
        median(lambda: look(opened())),
        median(lambda: configured(platform)) if has_compose() else 0.0,
    ]


def has_compose() -> bool:
    """Whether there is a `docker compose`; it needs no engine for this."""
    return (
        shutil.which("docker") is not None
        and not subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    )


def configured(platform: Path) -> None:
    """Compose reads each phase."""
    for file in sorted(platform.iterdir()):
        subprocess.run(["docker", "compose", "-f", str(file), "config", "--quiet"], check=True)


def median(act: Callable[[], object]) -> float:
    """Seconds of processor, the median of a few rounds."""
    taken = []
    for _ in range(ROUNDS):
        started = processor()
        act()
        taken.append(processor() - started)
    return statistics.median(taken)


def processor() -> float:
    """Seconds that this process and those it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
