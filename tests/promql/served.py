"""Makes a file of `sutazai_ops/monitoring/served` of what an exporter answered when it was scraped.

    python tests/promql/served.py NAME "SOURCE" FILE… > sutazai_ops/monitoring/served/NAME.yaml

Of several files, such as those of two versions, or of a primary and a replica, all metrics are taken. What Go's and
Python's client libraries add to every program goes into the file called `runtime` and into no other.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sutazai_ops.monitoring.exposition import read_exposition
from sutazai_ops.monitoring.metrics import Metric

RUNTIME = ("go_", "process_", "python_", "promhttp_")


def union(files: list[Path]) -> dict[str, Metric]:
    """All metrics of all files, with all labels that any has."""
    found: dict[str, Metric] = {}
    for file in files:
        for name, metric in read_exposition(file.read_text(), str(file)).metrics.items():
            before = found.get(name, metric)
            labels = tuple(sorted({*before.labels, *metric.labels}))
            edges = tuple(sorted({*before.edges, *metric.edges}))
            found[name] = metric.model_copy(update={"labels": labels, "edges": edges})
    return dict(sorted(found.items()))


def line(name: str, metric: Metric) -> str:
    """One metric as a line of YAML."""
    parts = [f"kind: {metric.kind}"]
    if metric.labels:
        parts.append(f"labels: [{', '.join(metric.labels)}]")
    if metric.edges:
        parts.append(f"edges: [{', '.join(f'{edge:.15g}' for edge in metric.edges)}]")
    return f"    {name}: {{{', '.join(parts)}}}"


def main() -> None:
    """Print the file."""
    name, source, *files = sys.argv[1:]
    metrics = {
        own: metric for own, metric in union([Path(file) for file in files]).items()
        if own.startswith(RUNTIME) == (name == "runtime")
    }  # fmt: skip
    print("# Made by tests/promql/served.py of what it answered; see metrics.yaml.")
    print(f"{name}:\n  source: {source}\n  metrics:")
    for own, metric in metrics.items():
        print(line(own, metric))


if __name__ == "__main__":
    main()
