"""What `sutazai-ops remediation watch` does with containers that die: by itself, and once a person has agreed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
import yaml

from watched.platform import WITHIN_SECONDS, Watched, await_all

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

RESTART = {"act": "restart", "costs": "20s", "grace": "5s", "polls": 2}
QUICK = {"service-down": {"persists": "5s", "grace": "5s", "ladder": [RESTART]}}
"""What lasts, what has just started and what may have helped is not waited for any longer."""
Found = dict[str, object]


@pytest.fixture(scope="module")
def watching(watched: Watched) -> Iterator[Watched]:
    """With a fresh backup of the database, and what watches running in a process of its own."""
    file = watched.home / "playbooks.yaml"
    file.write_text(yaml.safe_dump(QUICK))
    watched.environment = {**watched.environment, "SUTAZAI_REMEDIATION__PLAYBOOKS": str(file)}
    done = watched.ops("backup", "run", "--services", "postgres")
    assert done.returncode == 0, done.stdout + done.stderr
    command = [sys.executable, "-m", "sutazai_ops.cli", "remediation", "watch", "--every", "2"]
    with (watched.home / "watch.log").open("ab") as log:
        watch = subprocess.Popen(command, env={**os.environ, **watched.environment}, stdout=log, stderr=log)
        try:
            yield watched
        finally:
            watch.terminate()
            watch.wait(300)
            watched.ops("remediation", "mode", "off")


def incident(watched: Watched, target: str) -> Found:
    """The one of it that lasts; empty where there is none."""
    listed = json.loads(watched.ops("incidents", "list", "--json").stdout or "[]")
    number = next((one["number"] for one in listed if one["target"] == target), None)
    return {} if number is None else json.loads(watched.ops("incidents", "show", str(number), "--json").stdout)


def verdicts(found: Found) -> list[tuple[str, str]]:
    return [(one["kind"], one["reason"]) for one in found.get("verdicts", ())]  # type: ignore[union-attr]


def repairs(found: Found) -> list[tuple[str, str]]:
    return [(one["rung"], one["outcome"]) for one in found.get("repairs", ())]  # type: ignore[union-attr]


def test_in_the_mode_propose_a_database_is_started_again_once_a_person_has_agreed(watching: Watched):
    assert watching.ops("remediation", "mode", "propose").returncode == 0
    watching.containers()["postgres"].kill()
    await_all({"it asks": lambda: ("wait", "a person has to agree") in verdicts(incident(watching, "postgres"))})
    time.sleep(10)
    assert watching.containers()["postgres"].status == "exited"
    found = incident(watching, "postgres")
    assert repairs(found) == []
    done = watching.ops("incidents", "approve", str(found["number"]))
    assert done.returncode == 0, done.stderr
    await_all({"it has helped": lambda: repairs(incident(watching, "postgres"))[-1:] == [("restart", "helped")]})
    assert watching.containers()["postgres"].status == "running"
    followers = incident(watching, "postgres")["followers"]
    assert "backend" in followers  # type: ignore[operator]


def test_in_the_mode_act_a_service_is_started_again_by_itself_once_no_silence_covers_it(watching: Watched):
    # What stands on the database is left alone until that has settled.
    await_all({"all answers": lambda: not watching.prometheus("signal:service_down > 0")})
    assert watching.ops("remediation", "mode", "act").returncode == 0
    alertmanager = f"http://{watching.address('alertmanager')}:9093/api/v2"
    matcher = {"name": "service", "value": "frontend", "isRegex": False, "isEqual": True}
    now = datetime.now(UTC)
    silence = {
        "matchers": [matcher], "comment": "a new page", "createdBy": "ann", "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    made = requests.post(f"{alertmanager}/silences", json=silence, timeout=10).json()["silenceID"]
    watching.containers()["frontend"].kill()
    covered = ("skip", "maintenance, a silence or a deployment covers it")
    await_all({"it is left alone": lambda: covered in verdicts(incident(watching, "frontend"))})
    assert repairs(incident(watching, "frontend")) == []
    assert requests.delete(f"{alertmanager}/silence/{made}", timeout=10).ok
    await_all(
        {"it has helped": lambda: repairs(incident(watching, "frontend")) == [("restart", "helped")]},
        within=2 * WITHIN_SECONDS,
    )
    assert watching.containers()["frontend"].status == "running"
