"""Breaks a watched platform on a real engine, one fault after another, and prints what became of each, with whom.

    make chaos                                        every fault
    make chaos FAULTS=kill,hang                       those
    python tests/chaos/chaos.py --faults kill --with remediation --out chaos.md

Beside the remediation stand nobody at all, and a plain restart-when-unhealthy loop, over the same faults and under the
same traffic. Needs root, a Docker engine and the images of tests/images. It starts two engines of its own, one for the
remediation and one for the others, makes a platform on each, and takes all of it away, so that what it breaks, disk and
daemon among it, nobody else uses.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "images"))
sys.path.insert(0, str(Path(__file__).parents[1] / "docker"))
sys.path.insert(0, str(Path(__file__).parent))

import docker
from build import CACHE, ImageRegistry
from chaos_apart import Apart, Daemon, images_of_the_platform, is_within
from chaos_faults import FAULTS, Fault, works
from chaos_healers import HEALERS, SEES, Healer
from chaos_platform import Broken, await_true
from chaos_table import Came, markdown
from chaos_traffic import Traffic
from registry import copy_storage
from sinks import mailbox, webhook

from sutazai_ops.engines.daemons import free_port

SETTLES_SECONDS = 400
"""Until a platform on which nothing is broken any more is well, a rate over five minutes among it."""
WELL_SECONDS = 200
"""Until it is well after a fault; else it is rolled out once more, so that the next fault finds it whole."""
SESSIONS_SECONDS = 60
TASKS_END_SECONDS = 90
REPAIR_ENDS_SECONDS = 120
LOOK_SECONDS = 5
PACES = {
    "quick": "Quick: thresholds of what is broken fire in the round in which they break; playbooks wait for 20 s.",
    "real": "The packaged playbooks; thresholds of what is broken fire in the round in which they break.",
}


def main() -> None:
    # Ended from outside, it takes its platforms away all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    asked = _asked()
    sys.exit(_break_all(asked) if is_within() else _run_apart(asked))


def _run_apart(asked: argparse.Namespace) -> int:
    """Run the harness on engines of its own, beside each other, and print what they come to."""
    began, images = datetime.now(UTC), images_of_the_platform()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        runs = []
        for healers in filter(None, _by_engine(asked.healers)):
            arguments = ["--faults", ",".join(asked.faults), "--with", ",".join(healers), "--pace", asked.pace]
            arguments += ["--rows", str(folder / f"{len(runs)}.jsonl")]
            arguments += ["--keep", str(asked.keep.resolve() / healers[0])] if asked.keep else []
            runs.append(stack.enter_context(Apart(arguments, images)))
        ended = False
        while not ended:
            time.sleep(LOOK_SECONDS)
            ended = all(one.process.poll() is not None for one in runs)
            rows = [row for file in sorted(folder.iterdir()) for row in file.read_text().splitlines(keepends=True)]
            # The last one may be half written.
            came = [Came(**json.loads(row)) for row in rows if row.endswith("\n")]
            if asked.out:
                asked.out.write_text(markdown(came, _about(asked.pace, began)))
    print(markdown(came, _about(asked.pace, began)))
    return int(any(one.process.returncode for one in runs))


def _by_engine(healers: Sequence[str]) -> list[list[str]]:
    """The remediation is alone: what it sees is of what it did, and of no loop that restarted the same."""
    return [[one for one in healers if one == SEES], [one for one in healers if one != SEES]]


def _about(pace: str, began: datetime) -> str:
    now = datetime.now(UTC)
    return (
        f"Measured on {began:%d %B %Y} from {began:%H:%M} to {now:%H:%M} UTC on {os.cpu_count()} processors, which did"
        f" {os.getloadavg()[2]:.1f} things at once in its last quarter of an hour. {PACES[pace]}"
    )


def _break_all(asked: argparse.Namespace) -> int:
    """Break one platform in every way, for each healer; returns how often that could not be done."""
    wanted, failed = {name: FAULTS[name] for name in asked.faults}, 0
    with _platform(is_quick=asked.pace == "quick") as platform, Traffic(platform.address_of_users) as traffic:
        assert await_true(lambda: works(traffic), SETTLES_SECONDS), "no task is done, though nothing is broken yet"
        if "locks" in wanted:
            platform.begin_reports(len(asked.healers))
        # Fault by fault: a run that is cut off has whole comparisons, though fewer.
        for name, fault in wanted.items():
            for healer in asked.healers:
                print(f"{datetime.now(UTC):%H:%M:%S} {name}, {healer}: {fault.what}", flush=True)
                came = _measured(platform, traffic, fault, healer)
                failed += bool(came.unmeasured)
                print(f"{datetime.now(UTC):%H:%M:%S}     {came}", flush=True)
                if asked.rows:
                    with asked.rows.open("a") as rows:
                        rows.write(json.dumps(asdict(came)) + "\n")
                if asked.keep:
                    keep(platform.home, asked.keep)
    return failed


def _measured(platform: Broken, traffic: Traffic, fault: Fault, healer: str) -> Came:
    """What it came to; where the harness itself fails, that: one fault takes none of the others away."""
    try:
        return _break(platform, traffic, fault, healer)
    except Exception as error:  # noqa: BLE001  whatever it is, it is of this row
        traceback.print_exc()
        with suppress(Exception):
            platform.put_right()
        return Came(fault.what, healer, unmeasured=f"{type(error).__name__}: {error}".splitlines()[0])


def keep(home: Path, folder: Path) -> None:
    """Copy ledger, reports and logs; what is written meanwhile may be missing from it."""
    with suppress(shutil.Error):
        shutil.copytree(home, folder, ignore=shutil.ignore_patterns("backups", "secrets"), dirs_exist_ok=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=_some_of(FAULTS), default=list(FAULTS), help=f"some of {', '.join(FAULTS)}")
    parser.add_argument(
        "--with", dest="healers", type=_some_of(HEALERS), default=list(HEALERS), help=f"some of {', '.join(HEALERS)}"
    )
    parser.add_argument("--pace", choices=PACES, default="quick")
    parser.add_argument("--out", type=Path, help="a file for the table, as Markdown; it grows row by row")
    parser.add_argument("--keep", type=Path, help="a new folder for the platforms' home folders, with ledger and logs")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.keep and asked.keep.exists():
        parser.error(f"{asked.keep} is there already")
    return asked


def _some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Names with commas between them, each of which there is."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = next((one for one in names if one not in known), None)
        if unknown is not None:
            raise argparse.ArgumentTypeError(f"there is no {unknown!r}: there are {', '.join(known)}")
        return names

    return read


def _break(platform: Broken, traffic: Traffic, fault: Fault, with_whom: str) -> Came:
    """Break it, watch what becomes of it, mend it, and count."""
    assert await_true(platform.is_well, SETTLES_SECONDS), "the platform does not become well"
    if with_whom == SEES:
        assert await_true(platform.is_quiet, SETTLES_SECONDS), "alerts of the last fault do not end"
    first_task = len(traffic.tasks)
    with HEALERS[with_whom](platform) as healer:
        with fault.broken(platform, traffic) as broke:
            begun, at = time.monotonic(), datetime.now(UTC)
            healer.begin(begun, fault.target)
            whole = False
            while time.monotonic() - begun < _patience(fault, healer) and not whole:
                broke.keep()
                healer.look(at)
                if healer.is_done and time.monotonic() - begun > 60:
                    break
                whole = time.monotonic() - begun > 10 and broke.is_whole()
                time.sleep(0.5)
            ended = time.monotonic()
        if whole:
            # A repair is seen to help after its polls; and what is restarted besides is, by now. What Docker mends is
            # told only after that.
            time.sleep(healer.aftermath * (2 if fault.ends_by_itself else 1))
            await_true(lambda: healer.look(at) or not healer.is_busy, REPAIR_ENDS_SECONDS)
        healer.look(at)
    asked, failed = traffic.during(begun, ended)
    lost = _lost(platform, traffic.tasks[first_task:])
    if not await_true(platform.is_well, WELL_SECONDS):
        platform.put_right()
    return Came(
        fault=fault.what,
        healer=with_whom,
        observed=ended - begun,
        detected=healer.detected,
        verdict=healer.verdict,
        actions=list(healer.actions),
        whole=whole,
        given_to_a_person=healer.given_to_a_person,
        asked=asked,
        failed=failed,
        lost=lost,
    )


def _patience(fault: Fault, healer: Healer) -> float:
    """For how long it is watched at the most."""
    is_waited_for = fault.ends_by_itself or healer.detected is not None
    return fault.lasts if is_waited_for else min(fault.lasts, healer.patience + fault.shows_after * healer.checks)


def _lost(platform: Broken, tasks: list[int]) -> int:
    """Tasks that were accepted, and are neither done nor in any list of the queue."""
    # One that was started again needs a moment.
    await_true(platform.takes_sessions, SESSIONS_SECONDS)
    await_true(lambda: not platform.not_done(tasks), TASKS_END_SECONDS)
    left = platform.not_done(tasks)
    if not left:
        return 0
    keys = platform.redis("KEYS", "agent:*").split()
    kept = " ".join(platform.redis("LRANGE", key, "0", "-1") for key in keys)
    return sum(f'"id": {task},' not in kept for task in left)


@contextmanager
def _platform(*, is_quick: bool) -> Iterator[Broken]:
    daemon = Daemon()
    client = docker.from_env(timeout=600)
    images = CACHE / "runs" / uuid.uuid4().hex
    images.mkdir(parents=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(shutil.rmtree, images)
        registry = ImageRegistry(images, client)
        copy_storage(CACHE / "registry", images)
        registry.start()
        stack.callback(registry.forget)
        stack.callback(registry.stop)
        platform = Broken(folder, registry, client, daemon)
        stack.callback(platform.remove)
        host = platform.host()
        platform.tell(stack.enter_context(webhook(host)), stack.enter_context(mailbox(host, free_port())))
        platform.make_ready(is_quick=is_quick)
        yield platform


if __name__ == "__main__":
    main()
