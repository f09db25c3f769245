"""What the compose engine says where there is no engine, or no Compose that will do: one sentence, and nothing done."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sutazai_ops.errors import ExitCode

SHOP = "services: {web: {image: 'shop/web:1.0'}}\n"


@pytest.fixture
def run(tmp_path):
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "core.yaml").write_text(SHOP)

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("SUTAZAI_", "DOCKER_"))}
        environment = clean | {
            "SUTAZAI_HOME": str(tmp_path / "home"),
            "SUTAZAI_PLATFORM": str(tmp_path / "platform"),
            "SUTAZAI_ENGINE": "compose",
            "DOCKER_HOST": "tcp://127.0.0.1:1",
            **variables,
        }
        command = [sys.executable, "-m", "sutazai_ops.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


def test_a_plan_needs_no_engine(run):
    done = run("plan")
    assert done.returncode == ExitCode.CHANGES, done.stderr
    assert "create  web" in done.stdout
    assert "no Docker engine answers: held against the last release alone" in done.stdout


def test_without_an_engine_nothing_is_deployed_and_it_is_said_how_to_start_one(run, tmp_path):
    done = run("deploy", "--yes")
    assert done.returncode == ExitCode.CANNOT
    assert done.stderr.splitlines()[0] == "deploy failed: no Docker engine answers"
    assert "DOCKER_HOST" in done.stderr
    assert not list((tmp_path / "home" / "releases").glob("[0-9]*"))


def test_no_engine_is_found_where_auto_looks_and_the_embedded_one_is_taken(run):
    shown = run("config", "show", SUTAZAI_ENGINE="auto")
    assert shown.returncode == 0
    assert "on embedded" in run("status", SUTAZAI_ENGINE="auto").stdout


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("exit 1", "this docker has no Compose v2"),
        ("echo 1.29.2", "Docker Compose 1.29.2 is too old: 2.24 or newer is needed"),
        ("echo v2.20.3", "Docker Compose v2.20.3 is too old: 2.24 or newer is needed"),
    ],
)
def test_a_compose_that_will_not_do_is_named_with_what_to_install(tmp_path, monkeypatch, script, sentence):
    from sutazai_ops.engines.compose import commands
    from sutazai_ops.errors import ToolMissing

    fake = tmp_path / "docker"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    commands.require_compose.cache_clear()
    with pytest.raises(ToolMissing, match=sentence.replace("(", r"\(")) as told:
        commands.require_compose()
    commands.require_compose.cache_clear()
    assert "apt install" in told.value.remedy


def test_no_docker_at_all_is_named(tmp_path, monkeypatch):
    from sutazai_ops.engines.compose import commands
    from sutazai_ops.errors import ToolMissing

    monkeypatch.setenv("PATH", str(tmp_path))
    commands.require_compose.cache_clear()
    with pytest.raises(ToolMissing, match="the program docker is not on this machine"):
        commands.require_compose()
    commands.require_compose.cache_clear()


def test_an_unknown_service_is_refused_with_the_nearest_known_one(run):
    done = run("deploy", "--yes", "--services", "wbe")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "web" in done.stderr


def test_an_unknown_phase_is_refused_with_the_nearest_known_one(run):
    done = run("plan", "--phase", "cor")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "core" in done.stderr


def test_a_folder_of_releases_that_cannot_be_written_changes_nothing(run, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "releases").write_text("not a folder")
    done = run("deploy", "--yes")
    assert done.returncode == ExitCode.CANNOT
    assert "Traceback" not in done.stderr
