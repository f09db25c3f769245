"""How much longer our definitions take to load than Dagster itself: `python benchmarks/load.py`.

Both in fresh interpreters, in turn, so that a machine whose speed drifts treats them alike. Goal: at most 1.5 times.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 7
BASELINE = "import dagster"
OURS = "from sutazai_ops.definitions import defs; defs()"


def seconds(statement: str, home: str) -> float:
    """Wall time of a fresh interpreter that runs `statement`."""
    started = time.monotonic()
    environment = os.environ | {"SUTAZAI_HOME": home}
    subprocess.run([sys.executable, "-c", statement], env=environment, check=True)
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        seconds(OURS, home)
        pairs = [(seconds(BASELINE, home), seconds(OURS, home)) for _ in range(RUNS)]
    baseline, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"import dagster            {baseline:6.2f} s  (median of {RUNS})")
    print(f"our definitions, built    {ours:6.2f} s")
    print(f"ratio, pair by pair       {ratio:6.2f}    goal: at most 1.50")


if __name__ == "__main__":
    main()
