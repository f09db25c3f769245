"""The packaged platform, as its releases say it, before compose-lint: what it finds is meant, and says why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sutazai_ops.deployment.images import Lock
from sutazai_ops.platform import read_platform
from sutazai_ops.platform.compose_file import ComposeDumper
from sutazai_ops.settings import PACKAGED_PLATFORM

REASONS = PACKAGED_PLATFORM / ".compose-lint.yml"
PLATFORM = read_platform(PACKAGED_PLATFORM)


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole platform as one Compose file, with every overlay in force."""
    file = tmp_path_factory.mktemp("lint") / "compose.yaml"
    phases = [phase.name for phase in PLATFORM.phases]
    services = {service.name: PLATFORM.definition(service.name, phases) for service in PLATFORM}
    file.write_text(yaml.dump({"services": services}, Dumper=ComposeDumper))
    return file


def lint(file: Path, reasons: Path) -> list[tuple[str, str]]:
    """The rules that are broken, each with the service, but for those that have a reason."""
    command = [sys.executable, "-m", "compose_lint", "check", "--format", "json", "--no-env", "--skip-suppressed"]
    done = subprocess.run(
        [*command, "--strict-config", "--config", str(reasons), str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout)
    return [(one["rule_id"], one["service"]) for one in (found if isinstance(found, list) else found["findings"])]


def test_what_is_found_is_meant_and_says_why(resolved: Path):
    assert lint(resolved, REASONS) == []


def test_no_reason_is_for_what_nobody_does_any_more(resolved: Path, tmp_path: Path):
    empty = tmp_path / "none.yml"
    empty.write_text("rules: {}\n")
    found = set(lint(resolved, empty))
    stated = yaml.safe_load(REASONS.read_text())["rules"]
    excused = {(rule, name) for rule, about in stated.items() for name in about.get("exclude_services", ())}
    assert excused <= found


def test_a_weakness_that_somebody_brings_in_is_found(resolved: Path, tmp_path: Path):
    weak = tmp_path / "compose.yaml"
    content = yaml.safe_load(resolved.read_text())
    content["services"]["frontend"] |= {"privileged": True, "security_opt": []}
    weak.write_text(yaml.safe_dump(content))
    assert {("CL-0002", "frontend"), ("CL-0003", "frontend")} <= set(lint(weak, REASONS))


def test_digests_are_left_to_the_lock():
    assert yaml.safe_load(REASONS.read_text())["rules"]["CL-0019"]["enabled"] is False
    assert Lock(images={"redis:7": f"sha256:{'a' * 64}"}).locked("redis:7").endswith("@sha256:" + "a" * 64)
