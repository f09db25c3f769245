"""The front door: exit codes, words on standard error, and `--json`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command

from sutazai_ops import cli
from sutazai_ops.errors import ExitCode


@pytest.fixture
def run(tmp_path):
    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SUTAZAI_")}
        environment = clean | {"SUTAZAI_HOME": str(tmp_path / "home"), "SUTAZAI_ENGINE": "embedded"} | variables
        command = [sys.executable, "-m", "sutazai_ops.cli", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


def test_every_command_says_what_it_does(run):
    for command in ("", "up", "down", "status", "logs", "doctor", "restore", "backup", "config", "ledger"):
        done = run(*command.split(), "--help")
        assert done.returncode == 0, done.stderr
        assert "Usage:" in done.stdout


@pytest.mark.parametrize("command", ["backup run", "backup list", "status", "config show", "restore", "doctor", "up"])
def test_a_wrong_setting_is_two_lines_and_an_exit_code_of_its_own_for_every_command(run, command):
    done = run(*command.split(), SUTAZAI_BACKUP__KEEP_WITHIN_DAYS="none")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "backup.keep_within_days" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_config_check_reads_the_thresholds_too(run, tmp_path):
    assert run("config", "check").returncode == ExitCode.DONE
    (tmp_path / "mine.yaml").write_text("host_cpu_high:\n  abov: 0.9\n")
    done = run("config", "check", SUTAZAI_MONITORING__THRESHOLDS=str(tmp_path / "mine.yaml"))
    assert done.returncode == ExitCode.BAD_INPUT
    assert "mine.yaml:2" in done.stderr
    assert "did you mean 'above'?" in done.stderr


@pytest.mark.parametrize(
    ("setting", "text", "said"),
    [
        ("PRICES", "currency: USD\nhost:\n  per_hour: -1\n", "-1 is negative"),
        ("KPIS", "tasks:\n\n  at_leats: 3\n", "did you mean 'at_least'?"),
        ("AUTOSCALING_RULES", "mine: {service: nobody}\n", "the rule mine has no up"),
    ],
)
def test_config_check_reads_the_files_of_capacity_too(run, tmp_path, setting, text, said):
    (tmp_path / "mine.yaml").write_text(text)
    done = run("config", "check", **{f"SUTAZAI_CAPACITY__{setting}": str(tmp_path / "mine.yaml")})
    assert done.returncode == ExitCode.BAD_INPUT
    assert said in done.stderr
    assert "mine.yaml" in done.stderr


def test_a_signal_that_is_not_measured_here_is_told_as_such(run):
    """It said that there is no such signal, of one that the page of signals lists."""
    done = run("signals", "http_p95", SUTAZAI_ENGINE="embedded")
    assert done.returncode == ExitCode.CANNOT
    assert "the signal http_p95 is not measured here" in done.stderr


@pytest.mark.parametrize(
    ("setting", "text", "said"),
    [
        ("REMEDIATION__PLAYBOOKS", "service-down:\n  persist: 5m\n", "did you mean 'persists'?"),
        ("MONITORING__WINDOWS", "nightly: {every: someday, start: 03:30, for: 45m, reason: r}\n", "every"),
    ],
)
def test_config_check_reads_the_playbooks_and_the_windows_too(run, tmp_path, setting, text, said):
    """It said that all was in order, and the first repair of the night found out."""
    (tmp_path / "mine.yaml").write_text(text)
    done = run("config", "check", **{f"SUTAZAI_{setting}": str(tmp_path / "mine.yaml")})
    assert done.returncode == ExitCode.BAD_INPUT
    assert said in done.stderr
    assert "mine.yaml" in done.stderr


def test_a_misspelt_service_is_refused_with_the_nearest(run):
    done = run("backup", "run", "--services", "postgers")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "did you mean 'postgres'?" in done.stderr


@pytest.mark.parametrize("command", ["slo facts", "slo report", "capacity facts"])
def test_a_reversed_span_of_days_is_refused_and_not_taken_as_none(run, command):
    done = run(*command.split(), "--from", "2026-10-12", "--to", "2026-10-10")
    assert done.returncode == ExitCode.BAD_INPUT
    assert "there is no day from 2026-10-12 to 2026-10-10" in done.stderr
    assert done.stdout == ""


def test_a_report_that_is_to_be_opened_is_a_file_in_whichever_format(run):
    """With `--format md --open` it was printed, and nothing was opened."""
    done = run("slo", "report", "--sample", "--format", "md", "--open", BROWSER="true")
    assert done.returncode == 0
    [path] = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("report")]
    assert Path(path).read_text().startswith("# ")


def test_a_server_that_does_not_run_is_exit_code_3_and_says_how_to_start_it(run):
    done = run("backup", "run")
    assert done.returncode == ExitCode.CANNOT
    assert "sutazai-ops up" in done.stderr


def test_facts_are_json_when_asked_for(run):
    assert json.loads(run("backup", "list", "--json").stdout)["sets"] == []
    assert json.loads(run("config", "show", "--json").stdout)[0]["setting"] == "environment"
    services = {one["service"]: one["state"] for one in json.loads(run("status", "--json").stdout)["services"]}
    assert services["postgres"] == services["redis"] == "absent"


def test_where_nothing_was_scaled_that_is_said(run):
    assert run("capacity", "autoscale", "log").stdout == "nothing was decided in 7 days\n"


def test_what_never_ran_is_unknown_and_not_ok(run):
    shown = run("status").stdout
    assert "core: not rolled out (2 services)" in shown
    assert " ok" not in shown
    assert {one["health"] for one in json.loads(run("status", "--json").stdout)["services"]} == {"unknown"}


def test_there_is_no_set_to_show_or_restore_yet(run):
    for command in (["backup", "show"], ["backup", "verify"], ["restore", "--dry-run"]):
        done = run(*command)
        assert done.returncode == ExitCode.BAD_INPUT, done.stderr
        assert "sutazai-ops backup run" in done.stderr
    assert "sutazai-ops backup list" in run("backup", "pin", "2026", "--reason", "an audit").stderr


def test_a_home_that_cannot_be_written_is_one_sentence(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("up", SUTAZAI_HOME=str(tmp_path / "file/home"))
    assert done.returncode == ExitCode.CANNOT
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(run, tmp_path):
    command = f"{shlex.quote(sys.executable)} -m sutazai_ops.cli config show | head -n 1"
    shell = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("setting")


@pytest.mark.parametrize(
    "words",
    [["config", "reference"], ["config", "show"], ["maintenance", "list", "--json"]],
    ids=["much", "less", "hardly anything"],
)
def test_a_reader_that_is_gone_before_we_write_is_no_error_either(tmp_path, words):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as gone:
        command = [sys.executable, "-m", "sutazai_ops.cli", *words]
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_completion_is_offered_for_three_shells(run, shell, mark):
    # Called by the name of the console script, which is what a shell completes.
    script = Path(sys.executable).with_name("sutazai-ops")
    environment = os.environ | {"_SUTAZAI_OPS_COMPLETE": f"source_{shell}"}
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    assert mark in done.stdout, done.stderr


def test_a_defect_is_told_in_one_sentence_with_its_log(run, tmp_path, monkeypatch):
    script = (
        "import sys, sutazai_ops.cli as cli\n"
        "from sutazai_ops.installation import Installation\n"
        "Installation.platform = property(lambda self: 1 / 0)\n"
        "sys.argv = ['sutazai-ops', 'status']\ncli.main()\n"
    )
    environment = os.environ | {"SUTAZAI_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.DEFECT
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in (tmp_path / "home/logs/sutazai-ops.log").read_text()
    assert f"{datetime.now(UTC):%Y}" in (tmp_path / "home/logs/sutazai-ops.log").read_text()


SLOW_DRIVERS = ("dagster", "psycopg", "redis", "sqlalchemy", "matplotlib")


@pytest.mark.parametrize(
    ("what", "does_without"),
    [
        (["sutazai_ops.cli"], [*SLOW_DRIVERS, "docker", "sutazai_ops.settings", "sutazai_ops.ledger"]),
        # The ledger's entries alone were a twentieth of a look, and came by way of another command.
        (
            [
                "sutazai_ops.cli",
                "sutazai_ops.deployment.standing",
                "sutazai_ops.engines.compose.engine",
                "sutazai_ops.ledger_glance",
            ],
            [*SLOW_DRIVERS, "psutil", "sutazai_ops.ledger", "sutazai_ops.monitoring.probes"],
        ),
    ],
    ids=["any command", "a look at what runs"],
)
def test_a_command_starts_without_what_is_slow_to_load(what, does_without):
    script = f"import sys, {', '.join(what)}; print([name for name in {does_without} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_command_that_is_made_alone_is_one_of_all_of_them(monkeypatch):
    groups, commands = cli.app.registered_groups, cli.app.registered_commands
    every = list(get_command(cli.app).commands)
    for name, made in [*((name, [name]) for name in every), ("stauts", every), ("--help", every)]:
        monkeypatch.setattr(cli.app, "registered_groups", groups)
        monkeypatch.setattr(cli.app, "registered_commands", commands)
        cli._make_only(name)
        assert list(get_command(cli.app).commands) == made


def test_a_page_is_opened_in_the_browser_that_there_is_and_where_none_is_that_is_said(tmp_path):
    program = (
        "from pathlib import Path; from sutazai_ops.terminal import Terminal; Terminal().open(Path('a page.html'))"
    )

    def opened(**browser: str) -> str:
        clean = {key: value for key, value in os.environ.items() if key not in {"BROWSER", "DISPLAY"}}
        done = subprocess.run(
            [sys.executable, "-c", program], env=clean | {"PATH": ""} | browser, capture_output=True, text=True,
            check=True, cwd=tmp_path,
        )  # fmt: skip
        return done.stdout + done.stderr

    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "shown: $1"\n')
    browser.chmod(0o755)
    assert opened(BROWSER=str(browser)) == f"shown: {(tmp_path / 'a page.html').as_uri()}\n"
    assert opened() == "no browser can be opened from here\n"
