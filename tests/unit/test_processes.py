"""Tools as child processes are ended when we leave them, whoever started us."""

from __future__ import annotations

import subprocess
import sys

ENDED_AT_ONCE = """
import signal, sys
from sutazai_ops.engines import processes

signal.signal(signal.SIGTERM, signal.SIG_IGN)
processes.heed_termination()
child = processes.subprocess.Popen(["sleep", "60"], stdout=-1, stderr=-1, start_new_session=True)
command = processes.LocalCommand(child, "sleep")
command.end()
sys.exit(child.returncode != -signal.SIGTERM)
"""


def test_a_tool_heeds_its_end_though_whoever_started_us_ignores_sigterm() -> None:
    """A refused proof took five seconds more: its reader outlived the signal it had inherited as ignored."""
    assert subprocess.run([sys.executable, "-c", ENDED_AT_ONCE], check=False, timeout=60).returncode == 0
