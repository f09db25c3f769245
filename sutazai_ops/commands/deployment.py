"""`plan`, `deploy`, `rollback`, `releases`, `drift`: what shall run, and how it gets there."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sutazai_ops import human
from sutazai_ops.errors import ExitCode
from sutazai_ops.installation import open_installation
from sutazai_ops.terminal import AsJson, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.deployment.deploy import PhaseReport, Report
    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.deployment.drift import Drift
    from sutazai_ops.deployment.plan import Plan, Step
    from sutazai_ops.deployment.prepare import Prepared
    from sutazai_ops.deployment.release import Record

app = typer.Typer()

NO_PROBE = "no probe"

Phases = Annotated[
    list[str] | None, typer.Option("--phase", metavar="PHASE", help="This phase as a whole; can be given again.")
]
Services = Annotated[
    str | None,
    typer.Option("--services", metavar="A,B", help="These services, and what they cannot run without; nothing else."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done, as `plan` does.")]
Override = Annotated[
    str | None,
    typer.Option("--override", metavar="REASON", help="Go on though the gate is closed; kept with your name."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before what loses nothing.")]


@app.command()
def plan(phase: Phases = None, services: Services = None, *, json: AsJson = False) -> None:
    """Show what a deployment would change, and why. Exit code 2: there is something to do."""
    deployments = _open()
    prepared = deployments.plan(phases=phase, services=_names(services))
    next_ = "sutazai-ops deploy" + _again(phase, services)
    _show_prepared(Terminal(), prepared, json=json, next_=next_, gate=_gate(deployments, prepared))
    if prepared.plan.changes:
        raise typer.Exit(ExitCode.CHANGES)


@app.command()
def deploy(
    phase: Phases = None,
    services: Services = None,
    override: Override = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Bring what runs to what the platform's files say, phase by phase, each behind its gate."""
    from sutazai_ops.deployment.deploy import DeploymentFailed

    terminal = Terminal()
    deployments = _open()
    names = _names(services)
    if dry_run or not yes:
        prepared = deployments.prepare(phases=phase, services=names)
        if dry_run:
            next_ = "sutazai-ops deploy" + _again(phase, services)
            _show_prepared(terminal, prepared, json=json, next_=next_, gate=_gate(deployments, prepared))
            return
        if prepared.plan.changes and not json:
            _show_plan(terminal, prepared)
            terminal.agree("go on?")
    try:
        with terminal.progress(json=json) as progress:
            report = deployments.deploy(progress, phases=phase, services=names, override=override)
    except DeploymentFailed as failed:
        _tell(terminal, failed.report, json=json)
        raise
    _tell(terminal, report, json=json)


@app.command()
def rollback(
    to: Annotated[int, typer.Option("--to", metavar="RELEASE", help="Its number; sutazai-ops releases lists them.")],
    phase: Phases = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Run again what an earlier release meant, as a new release; volumes stay as they are."""
    terminal = Terminal()
    deployments = _open()
    prepared = deployments.prepare_roll_back(to, phase)
    if dry_run:
        _show_prepared(terminal, prepared, json=json, next_=f"sutazai-ops rollback --to {to}")
        return
    if not yes and prepared.plan.changes and not json:
        _show_plan(terminal, prepared)
        terminal.agree("go on?")
    with terminal.progress(json=json) as progress:
        report = deployments.roll_back(progress, to, phase)
    _tell(terminal, report, json=json)


def _tell(terminal: Terminal, report: Report, *, json: bool) -> None:
    terminal.show(_report_facts(report), lambda: _show_report(terminal, report), json=json)


@app.command()
def releases(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the newest.")] = 20,
    *,
    json: AsJson = False,
) -> None:
    """List the releases, the newest first, and what became of each."""
    terminal = Terminal()
    shelf = _open().releases
    current = shelf.current()
    records = [shelf.record(number) for number in shelf.numbers()[:limit]]
    facts = [
        {**record.model_dump(mode="json"), "current": current is not None and record.number == current.number}
        for record in records
    ]
    now = datetime.now(UTC)

    def show() -> None:
        terminal.table(
            ["release", "made", "outcome", "because"],
            [
                [
                    fact["number"],
                    f"{human.since(record.created_at, now)} ago",
                    ("current, " if fact["current"] else "")
                    + (
                        ", ".join(f"{phase} {outcome}" for phase, outcome in record.outcomes.items())
                        or "not carried out"
                    ),
                    record.because,
                ]
                for fact, record in zip(facts, records, strict=True)
            ],
            right=["release"],
        )
        if not records:
            terminal.say("none yet        sutazai-ops deploy")

    terminal.show(facts, show, json=json)


def _outcomes(record: Record) -> str:
    return ", ".join(f"{phase} {outcome}" for phase, outcome in record.outcomes.items()) or "not carried out"


@app.command()
def drift(*, json: AsJson = False) -> None:
    """Compare what runs with what is meant. Exit code 2: something has drifted."""
    terminal = Terminal()
    release, found = _open().look_for_drift()
    facts = {"release": release, "drifts": [asdict(one) for one in found]}
    terminal.show(facts, lambda: _show_drift(terminal, release, found), json=json)
    if found:
        raise typer.Exit(ExitCode.CHANGES)


def _show_drift(terminal: Terminal, release: int, found: Sequence[Drift]) -> None:
    if not found:
        terminal.say(f"nothing has drifted from release {release}")
        return
    terminal.table(
        ["phase", "service", "what", "meant", "found"],
        [[one.phase, one.service, one.field, one.meant, one.found] for one in found],
    )
    terminal.say()
    terminal.facts(_remedies(found))


def _remedies(found: Sequence[Drift]) -> dict[str, object]:
    """The next command, by what was found: no deployment mends what is as it is meant and does not work."""
    ill = list(dict.fromkeys(one.service for one in found if one.kind in {"unhealthy", "restarts"}))
    orphans = [one.found for one in found if one.kind == "orphan"]
    others = any(one.kind not in {"unhealthy", "restarts", "orphan"} for one in found)
    return {
        **({"mend it": "sutazai-ops deploy"} if others else {}),
        **({"see why": "; ".join(f"sutazai-ops logs {name}" for name in ill)} if ill else {}),
        **({"left alone": f"remove what is yours: docker rm -f {' '.join(orphans)}"} if orphans else {}),
    }


def _open() -> Deployments:
    from sutazai_ops.deployment.deployments import Deployments

    return Deployments.of(open_installation())


def _names(services: str | None) -> list[str] | None:
    return None if services is None else [name for part in services.split(",") if (name := part.strip())]


def _again(phases: list[str] | None, services: str | None) -> str:
    return "".join(f" --phase {phase}" for phase in phases or ()) + (f" --services {services}" if services else "")


def _gate(deployments: Deployments, prepared: Prepared) -> str:
    """What the gate would say; nothing where nothing would be done."""
    return deployments.look_at_gate() if prepared.plan.changes else ""


def _show_prepared(terminal: Terminal, prepared: Prepared, *, json: bool, next_: str, gate: str = "") -> None:
    facts = {**_plan_facts(prepared.plan), "findings": [asdict(finding) for finding in prepared.findings]}
    facts |= {"notes": prepared.notes, "unseen": prepared.unseen}
    if gate:
        facts["gate"] = gate

    def show() -> None:
        _show_plan(terminal, prepared)
        if prepared.plan.changes:
            terminal.facts(({"gate": gate} if gate else {}) | {"apply it": next_})

    terminal.show(facts, show, json=json)


def _show_plan(terminal: Terminal, prepared: Prepared) -> None:
    plan = prepared.plan
    terminal.say(f"{_which(plan)} ({len(plan.changes)} of {human.count(len(plan.steps), 'service')} to change)\n")
    if plan.changes:
        terminal.table(["", "service", "why"], [row for step in plan.changes for row in _rows(step)])
    else:
        terminal.say("  nothing to do: what runs is what is meant")
    notes = [f"{prepared.unseen}: held against the last release alone"] if prepared.unseen else []
    notes += prepared.notes
    notes += [f"{service} is left out: {why}" for service, why in plan.left_out]
    notes += [
        f"{orphan.service} runs in {orphan.phase} and stands in no file: it is left alone" for orphan in plan.orphans
    ]
    notes += [f"{finding.service}: {finding.what}" for finding in prepared.findings]
    terminal.say()
    for note in notes:
        terminal.say(f"  note  {note}")
    if notes:
        terminal.say()


def _which(plan: Plan) -> str:
    if plan.against is None:
        return f"release {plan.release}, the first"
    return f"release {plan.release}" + (f" against release {plan.against}" if plan.against != plan.release else "")


def _rows(step: Step) -> list[list[str]]:
    reasons = [step.because] if step.because else []
    reasons += [str(difference) for difference in step.differences]
    return [
        [str(step.act) if index == 0 else "", step.service if index == 0 else "", reason]
        for index, reason in enumerate(reasons or [""])
    ]


def _plan_facts(plan: Plan) -> dict[str, Any]:
    return asdict(plan)


def _report_facts(report: Report) -> dict[str, Any]:
    return {
        "release": report.plan.release,
        "gate": report.gate,
        "phases": [asdict(phase) for phase in report.phases],
    }


def _show_report(terminal: Terminal, report: Report) -> None:
    if not report.phases:
        terminal.say(f"nothing to do: release {report.plan.release} runs as it is meant")
        return
    terminal.table(
        ["phase", "outcome", "changed", "seconds", "note"],
        [[p.phase, str(p.outcome), len(p.steps), f"{p.seconds:.1f}", _note(p)] for p in report.phases],
        right=["changed", "seconds"],
    )
    unknown = [
        v.service for phase in report.phases for v in phase.verdicts if v.passed and v.because.startswith("no probe")
    ]
    if unknown:
        terminal.say(f"\nno probe, so unknown: {', '.join(unknown)}")
    terminal.say()
    if report.gate:
        terminal.say(report.gate)
    terminal.facts({"next": "sutazai-ops status"})


def _note(phase: PhaseReport) -> str:
    notes = []
    if phase.backup_set:
        notes.append(f"backup set {phase.backup_set} taken and verified before")
    if phase.put_back_to is not None:
        notes.append(f"release {phase.put_back_to} runs again")
    if phase.because:
        notes.append(phase.because.partition("\n")[0])
    return "; ".join(notes)
