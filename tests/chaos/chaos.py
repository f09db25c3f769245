"""Breaks a watched platform on a real engine, one fault after another, and prints what became of each, with whom.

    make chaos                                        every fault but those that touch what others share
    make chaos FAULTS=kill,hang                       those
    python tests/chaos/chaos.py --faults kill --with remediation --out chaos.md
    python tests/chaos/chaos.py --faults disk --whole-host         also what touches the host and the engine's images
    python tests/chaos/chaos.py --faults daemon --daemon "systemctl restart docker"

Beside the remediation stand nobody at all, and a plain restart-when-unhealthy loop, over the same faults and under the
same traffic. Needs a Docker engine and the images of tests/images. It makes a platform of its own and takes it away.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "images"))
sys.path.insert(0, str(Path(__file__).parents[1] / "docker"))
sys.path.insert(0, str(Path(__file__).parent))

import docker
from build import CACHE, ImageRegistry
from chaos_faults import DAEMON, FAULTS, Fault, daemon
from chaos_healers import HEALERS
from chaos_platform import Broken, await_true
from chaos_table import Came, markdown
from chaos_traffic import Traffic
from projects import free_port
from registry import copy_storage
from watched.sinks import mailbox, webhook

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
    faults = dict(FAULTS)
    if asked.daemon:
        faults[DAEMON] = Fault(
            "the Docker daemon is started again", "backend", daemon(asked.daemon), is_of_the_host=True
        )
    names = asked.faults.split(",") if asked.faults else [n for n, one in faults.items() if not one.is_of_the_host]
    wanted = {name: _allowed(faults, name, asked) for name in names}
    came = []
    with _platform(is_quick=asked.pace == "quick") as platform, Traffic(platform.address_of_users) as traffic:
        if "locks" in wanted:
            platform.begin_reports(len(asked.healers.split(",")))
        for name, fault in wanted.items():
            for healer in asked.healers.split(","):
                print(f"{datetime.now(UTC):%H:%M:%S} {name}, {healer}: {fault.what}", flush=True)
                came.append(_break(platform, traffic, name, fault, healer))
                print(f"    {came[-1]}", flush=True)
                if asked.out:
                    asked.out.write_text(markdown(came, PACES[asked.pace]))
    print(markdown(came, PACES[asked.pace]))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default="", help=f"some of {', '.join(FAULTS)}, with commas")
    parser.add_argument("--with", dest="healers", default=",".join(HEALERS), help="some of them, with commas")
    parser.add_argument("--pace", choices=PACES, default="quick")
    parser.add_argument("--out", type=Path, help="a file for the table, as Markdown")
    parser.add_argument("--whole-host", action="store_true", help="allow what touches what other projects share")
    parser.add_argument(
        "--daemon", metavar="COMMAND", help="what starts the Docker daemon again, for the fault `daemon`"
    )
    return parser.parse_args()


def _allowed(faults: dict[str, Fault], name: str, asked: argparse.Namespace) -> Fault:
    if name not in faults:
        needs = "; `daemon` needs --daemon COMMAND" if name == DAEMON else ""
        sys.exit(f"there is no fault {name!r}: there are {', '.join(faults)}{needs}")
    if faults[name].is_of_the_host and not (asked.whole_host or name == DAEMON):
        sys.exit(f"the fault {name} touches what other projects on this engine share: give --whole-host to do it")
    unknown = next((one for one in asked.healers.split(",") if one not in HEALERS), None)
    if unknown:
        sys.exit(f"there is no {unknown!r}: there are {', '.join(HEALERS)}")
    return faults[name]


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
        platform = Broken(folder, registry, client)
        stack.callback(platform.remove)
        host = platform.host()
        platform.tell(stack.enter_context(webhook(host)), stack.enter_context(mailbox(host, free_port())))
        platform.make_ready(is_quick=is_quick)
        yield platform


if __name__ == "__main__":
    main()
