"""`lint`: what is wrong with rules and dashboards though Prometheus and Grafana take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops.errors import BadInput, ExitCode, Unreachable
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.monitoring.metrics import Exporter
    from sutazai_ops.monitoring.promql.lint import Known
    from sutazai_ops.monitoring.promql.lint.files import Found, Query

app = typer.Typer(help="Find what is wrong though it is accepted.", no_args_is_help=True)

SCRAPE_SECONDS = 10.0
SCRAPE_BYTES = 64 * 1024 * 1024
"""A large Kubernetes' kube-state-metrics answers tens of megabytes."""

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Prometheus rules, or Grafana dashboards as JSON.")]
Metrics = Annotated[
    list[Path] | None,
    typer.Option("--metrics", metavar="FILE", help="Further exporters' metrics, in the format of metrics.yaml."),
]
Scrape = Annotated[
    list[str] | None,
    typer.Option("--scrape", metavar="URL|FILE", help="Further metrics, from what an exporter answers when scraped."),
]
Label = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME", help="A label that your scrape configuration adds to every series."),
]


@app.callback()
def about() -> None:
    """Find what is wrong though it is accepted."""


@app.command()
def rules(
    files: Files, metrics: Metrics = None, scrape: Scrape = None, label: Label = None, *, json: AsJson = False
) -> None:
    """Say what in rules or dashboards never answers, or answers wrongly; ends with 5 where there is any."""
    from sutazai_ops.monitoring.promql.lint.files import lint_files

    terminal = Terminal()
    queries, found = lint_files(files, _known(metrics or (), scrape or (), label or ()))
    terminal.show([_facts(one) for one in found], lambda: _show(terminal, queries, found), json=json)
    if found:
        raise typer.Exit(ExitCode.CORRUPT)


def _known(metrics: Sequence[Path], scrapes: Sequence[str], labels: Sequence[str]) -> Known:
    from sutazai_ops.monitoring.metrics import exporters, flatten, read_exporters
    from sutazai_ops.monitoring.promql.lint import Known

    known = dict(exporters())
    for path in metrics:
        # Beside what is known under the same name, and not in its place.
        known |= {f"{path}:{name}": exporter for name, exporter in read_exporters(path).items()}
    known |= {source: _scraped(source) for source in scrapes}
    return Known(flatten(known), target_labels=frozenset(labels))


def _scraped(source: str) -> Exporter:
    from sutazai_ops import http
    from sutazai_ops.monitoring.exposition import read_exposition

    if not source.startswith(("http://", "https://")):
        try:
            return read_exposition(Path(source).read_text(encoding="utf-8"), source)
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"what an exporter answered cannot be read: {error}", where=source) from error
    answer = http.get(source, seconds=SCRAPE_SECONDS, at_most=SCRAPE_BYTES)
    if answer.status != http.OK or not answer.whole:
        raise Unreachable(
            f"the exporter answered {answer.status}", where=source, remedy="name the address of its metrics"
        )
    return read_exposition(answer.body.decode("utf-8", "replace"), source)


def _facts(found: Found) -> dict[str, Any]:
    query, finding = found.query, found.finding
    return {
        "file": str(query.file),
        "line": query.line,
        "group": query.group,
        "name": query.name,
        "expression": query.expression,
        "rule": finding.rule,
        "what": finding.what,
        "remedy": finding.remedy,
    }


def _show(terminal: Terminal, queries: Sequence[Query], found: Sequence[Found]) -> None:
    last: Query | None = None
    for one in found:
        if one.query != last:
            last = one.query
            place = " ".join(part for part in (last.group, last.name) if part)
            terminal.say(f"{last.file}:{last.line}  {place}")
        terminal.say(f"  {one.finding.rule}: {one.finding.what}")
        terminal.say(f"    {one.finding.remedy}")
    wrong = len({(one.query.file, one.query.line, one.query.name) for one in found})
    counted = f"{len(queries)} expression{'s' if len(queries) != 1 else ''}"
    terminal.say(f"{counted}: {wrong} with findings" if found else f"{counted}: nothing found")
