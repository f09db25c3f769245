"""Tools as child processes are ended when we leave them, whoever started us."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sutazai_ops.engines.processes import LocalCommand
from sutazai_ops.errors import CommandFailed

ENDED_AT_ONCE = """
import signal, sys
from sutazai_ops.engines import processes
from sutazai_ops.termination import heed_termination

signal.signal(signal.SIGTERM, signal.SIG_IGN)
heed_termination()
child = processes.subprocess.Popen(["sleep", "60"], stdout=-1, stderr=-1, start_new_session=True)
command = processes.LocalCommand(child, "sleep")
command.end()
sys.exit(child.returncode != -signal.SIGTERM)
"""


def test_a_tool_heeds_its_end_though_whoever_started_us_ignores_sigterm() -> None:
    """A refused proof took five seconds more: its reader outlived the signal it had inherited as ignored."""
    assert subprocess.run([sys.executable, "-c", ENDED_AT_ONCE], check=False, timeout=60).returncode == 0


def test_the_first_error_of_a_tool_is_its_reason_and_not_what_followed_from_it() -> None:
    """A full disk during a restore was told as a worker that died, and a set was called corrupt for it."""
    said = "tool: error: no space left\\nHINT: free some\\ntool: error: a worker process died"
    script = [sys.executable, "-c", f"import sys; sys.exit('{said}')"]
    child = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    command = LocalCommand(child, "tool")
    with pytest.raises(CommandFailed) as told:
        command.finish()
    command.end()
    assert told.value.what == "tool ended with exit code 1: tool: error: no space left"
    assert "worker process died" in told.value.where
