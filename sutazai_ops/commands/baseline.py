"""`sutazai-ops baseline run | list | compare`: how the platform answers a known load."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops import human
from sutazai_ops.errors import BadInput
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.baseline.compare import Comparison
    from sutazai_ops.baseline.figures import Quantile
    from sutazai_ops.baseline.measure import Baseline
    from sutazai_ops.ledger import BaselineEntry

app = typer.Typer(help="Measure how the platform answers a known load.", no_args_is_help=True)


@app.command()
def run(
    environment: Annotated[
        str, typer.Option("--environment", metavar="NAME", help="What this has to be: the load is put on nothing else.")
    ] = "staging",
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=200, help="Requests a second, all together.")] = 5,
    seconds: Annotated[int, typer.Option("--seconds", min=5, max=900, help="For how long.")] = 60,
    *,
    json: AsJson = False,
) -> None:
    """Ask for a while, and write down how long answers took and what was used."""
    from sutazai_ops.baseline.compare import compare, latest_like
    from sutazai_ops.baseline.load import Bounds
    from sutazai_ops.baseline.measure import take

    terminal, here = Terminal(), open_installation()
    with terminal.progress(json=json) as progress:
        entry, baseline = take(here, environment, Bounds(rate, seconds), progress)
    earlier = latest_like(here.ledger.known_baselines(), entry)
    against = compare(earlier, entry) if earlier else None
    facts = {"baseline": asdict(entry), "against": asdict(against) if against else None}
    terminal.show(facts, lambda: _show(terminal, entry, baseline, against), json=json)


@app.command("list")
def list_(*, json: AsJson = False) -> None:
    """Show every baseline that was taken."""
    from sutazai_ops.baseline.measure import Baseline
    from sutazai_ops.baseline.script import EVERYTHING

    terminal, now = Terminal(), datetime.now(UTC)
    entries = open_installation().ledger.known_baselines()
    rows = []
    for entry in entries:
        figures = Baseline.model_validate(entry.detail).requests[EVERYTHING]
        asked = f"{entry.rate:g}/s, {entry.seconds:g} s"
        times = [_milliseconds(one.value) for one in (figures.p50, figures.p95, figures.p99)]
        taken = [human.since(entry.at, now), entry.environment, entry.release or "none", asked, entry.script]
        rows.append([entry.number, *taken, figures.count, figures.failed, *times])
    columns = ["number", "taken", "environment", "release", "asked", "script", "answers", "failed", "p50", "p95", "p99"]

    def show() -> None:
        if rows:
            terminal.table(columns, rows, right=["answers", "failed", "p50", "p95", "p99"])
        else:
            terminal.facts({"none was taken": "sutazai-ops baseline run"})

    terminal.show([asdict(entry) for entry in entries], show, json=json)


@app.command("compare")
def compare_(
    before: Annotated[int, typer.Argument(metavar="BEFORE", help="The number of the earlier one.")],
    after: Annotated[int, typer.Argument(metavar="AFTER", help="The number of the later one.")],
    *,
    json: AsJson = False,
) -> None:
    """Say whether answers became faster or slower, by more than chance."""
    from sutazai_ops.baseline.compare import compare

    terminal = Terminal()
    known = open_installation().ledger.known_baselines()
    found = compare(_numbered(known, before), _numbered(known, after))
    terminal.show(asdict(found), lambda: _show_comparison(terminal, found), json=json)


def _numbered(known: Sequence[BaselineEntry], number: int) -> BaselineEntry:
    found = next((one for one in known if one.number == number), None)
    if found is None:
        raise BadInput(f"there is no baseline {number}", remedy="sutazai-ops baseline list shows them")
    return found


def _show(terminal: Terminal, entry: BaselineEntry, baseline: Baseline, against: Comparison | None) -> None:
    terminal.table(
        ["request", "answers", "failed", "p50", "p95", "p99", ""],
        [
            [name, one.count, one.failed, *map(_words, (one.p50, one.p95, one.p99)), _how(one.failures)]
            for name, one in baseline.requests.items()
        ],
        right=["answers", "failed", "p50", "p95", "p99"],
    )
    terminal.say()
    terminal.table(
        ["service", "processor", "most memory"],
        [
            [
                service,
                "unknown" if one.cpu_seconds is None else f"{one.cpu_seconds:.1f} s",
                human.memory(one.memory_bytes),
            ]
            for service, one in baseline.used.items()
        ],
        right=["processor", "most memory"],
    )
    terminal.say()
    each = baseline.cpu_seconds_a_request
    terminal.facts(
        {
            "baseline": f"{entry.number}, in {entry.environment}",
            "processor": "unknown" if each is None else f"{each * 1000:.1f} ms a request, of all services together",
            "cost": _cost_words(baseline),
            "intervals": "those in which 95 % of such samples would lie; … where there were too few answers to say",
        }
    )
    if against is not None:
        terminal.say()
        _show_comparison(terminal, against)


def _cost_words(baseline: Baseline) -> str:
    cost = baseline.cost
    if cost is None:
        return "unknown: no prices (setting capacity.prices), or it is not known what a service used"
    return f"{cost.own:.6f} {cost.currency} a request for what was used, {cost.whole:.6f} for all of the host"


def _show_comparison(terminal: Terminal, found: Comparison) -> None:
    terminal.say(f"baseline {found.after} beside {found.before}" + "".join(f"; {one}" for one in found.differences))
    terminal.table(
        ["request", "p50", "p95", "p99", "failures"],
        [[one.request, *map(str, (one.p50, one.p95, one.p99)), one.failures] for one in found.requests],
    )


def _words(quantile: Quantile) -> str:
    ends = ("…" if end is None else f"{end * 1000:.0f}" for end in (quantile.low, quantile.high))
    return f"{_milliseconds(quantile.value)} ({' to '.join(ends)})"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _how(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{count} by {how}" for how, count in sorted(failures.items()))
