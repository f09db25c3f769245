"""Breaks a watched platform on a real engine, one fault after another, and prints what became of each, with whom.

    make chaos                                        every fault
    make chaos FAULTS=kill,hang                       those
    python tests/chaos/chaos.py --faults kill --with remediation --out chaos.md

Beside the remediation stand nobody at all, and a plain restart-when-unhealthy loop, over the same faults and under the
same traffic. Needs root, a Docker engine and the images of tests/images. It starts an engine of its own, makes a
platform there, and takes both away, so that what it breaks, disk and daemon among it, nobody else uses.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "images"))
sys.path.insert(0, str(Path(__file__).parents[1] / "docker"))
sys.path.insert(0, str(Path(__file__).parent))

import docker
from build import CACHE, ImageRegistry
from chaos_apart import Daemon, is_within, run_apart
from chaos_faults import FAULTS, Fault
from chaos_healers import HEALERS
from chaos_platform import Broken, await_true
from chaos_table import Came, markdown
from chaos_traffic import Traffic
from projects import free_port
from registry import copy_storage
from sinks import mailbox, webhook

SETTLES_SECONDS = 400
"""Until a platform on which nothing is broken any more is well, a rate over five minutes among it."""
TASKS_END_SECONDS = 90
AFTERMATH_SECONDS = 30
REPAIR_ENDS_SECONDS = 120
PACES = {
    "quick": "Quick: thresholds of what is broken fire in the round in which they break; playbooks wait for 20 s.",
    "real": "The packaged playbooks; thresholds of what is broken fire in the round in which they break.",
}


def main() -> None:
    # Ended from outside, it takes its platform away all the same.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    asked = _asked()
    if not is_within():
        sys.exit(run_apart(sys.argv[1:]))
    wanted = {name: FAULTS[name] for name in asked.faults}
    came = []
    with _platform(is_quick=asked.pace == "quick") as platform, Traffic(platform.address_of_users) as traffic:
        if "locks" in wanted:
            platform.begin_reports(len(asked.healers))
        for healer in asked.healers:
            for name, fault in wanted.items():
                print(f"{datetime.now(UTC):%H:%M:%S} {name}, {healer}: {fault.what}", flush=True)
                came.append(_break(platform, traffic, name, fault, healer))
                print(f"    {came[-1]}", flush=True)
                if asked.out:
                    asked.out.write_text(markdown(came, PACES[asked.pace]))
        if asked.keep:
            shutil.copytree(platform.home, asked.keep, ignore=shutil.ignore_patterns("backups", "secrets"))
    print(markdown(came, PACES[asked.pace]))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=_some_of(FAULTS), default=list(FAULTS), help=f"some of {', '.join(FAULTS)}")
    parser.add_argument(
        "--with", dest="healers", type=_some_of(HEALERS), default=list(HEALERS), help=f"some of {', '.join(HEALERS)}"
    )
    parser.add_argument("--pace", choices=PACES, default="quick")
    parser.add_argument("--out", type=Path, help="a file for the table, as Markdown")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the home folder of the platform, with its ledger and logs"
    )
    return parser.parse_args()


def _some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Names with commas between them, each of which there is."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = next((one for one in names if one not in known), None)
        if unknown is not None:
            raise argparse.ArgumentTypeError(f"there is no {unknown!r}: there are {', '.join(known)}")
        return names

    return read


def _break(platform: Broken, traffic: Traffic, name: str, fault: Fault, with_whom: str) -> Came:
    """Break it, watch what becomes of it, mend it, and count."""
    assert await_true(platform.is_well, SETTLES_SECONDS), "the platform does not become well"
    first_task = len(traffic.tasks)
    with HEALERS[with_whom](platform) as healer:
        with fault.broken(platform, traffic) as broke:
            begun, at = time.monotonic(), datetime.now(UTC)
            healer.begin(begun, fault.target)
            whole = False
            while time.monotonic() - begun < min(fault.lasts, healer.patience) and not whole:
                broke.keep()
                healer.look(at)
                if healer.is_done and time.monotonic() - begun > 60:
                    break
                whole = time.monotonic() - begun > 10 and broke.is_whole()
                time.sleep(0.5)
            ended = time.monotonic()
        if whole:
            # A repair is seen to help after its polls; and what is restarted besides is, by now.
            time.sleep(AFTERMATH_SECONDS)
            await_true(lambda: healer.look(at) or not healer.is_busy, REPAIR_ENDS_SECONDS)
        healer.look(at)
    asked, failed = traffic.during(begun, ended)
    await_true(platform.is_well, SETTLES_SECONDS)
    return Came(
        fault=name,
        healer=with_whom,
        observed=ended - begun,
        detected=healer.detected,
        verdict=healer.verdict,
        actions=list(healer.actions),
        whole=whole,
        given_to_a_person=healer.given_to_a_person,
        asked=asked,
        failed=failed,
        lost=_lost(platform, traffic.tasks[first_task:]),
    )


def _lost(platform: Broken, tasks: list[int]) -> int:
    """Tasks that were accepted, and are neither done nor in any list of the queue."""

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
