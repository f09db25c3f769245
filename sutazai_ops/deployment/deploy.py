"""Carries a release out, phase by phase, and puts the last good one back where a phase does not pass its gate.

    lock -> plan -> pull everything -> [phase: back up what holds state -> bring up -> gate -> write down] ...

Nothing is changed before every image is on the host. A phase that fails goes back to the last release in which it was
good, is asked again, and ends the deployment with an error; phases before it stay, phases after it are not begun. Never
is a volume removed, never is a phase touched that was not selected, and never does a roll-back cross a major version of
a service that holds state. Whatever kills this half-way, the next deployment goes on from what the engine then sees.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sutazai_ops.deployment import gate
from sutazai_ops.deployment.major import crossings
from sutazai_ops.deployment.order import levels
from sutazai_ops.deployment.plan import make_plan
from sutazai_ops.deployment.release import Outcome, assemble
from sutazai_ops.deployment.replace import point_proxy_at, replace_start_first
from sutazai_ops.engines import Act, Network, NoEngine, Order, State
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.platform import Tier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.deployment.gate import Verdict
    from sutazai_ops.deployment.plan import Plan, Step
    from sutazai_ops.deployment.release import Release, ReleasedPhase, ReleasedService
    from sutazai_ops.engines import Container
    from sutazai_ops.progress import Progress

LOG_LINES = 20
PATIENCE_SECONDS = 20.0
"""What a phase gives those that it stands on: one of them may just have been made anew, and others notice it late."""
MAKES_ANEW = {Act.RECREATE, Act.RUNTIME_DRIFT}


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """What the roll-out of one phase came to."""

    phase: str
    release: int
    outcome: Outcome
    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...] = ()
    seconds: float = 0.0
    put_back_to: int | None = None
    """The release whose services run in this phase again, where it failed."""
    because: str = ""
    backup_set: str | None = None
    """The set that was taken before anything with state was made anew."""
    healthy_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each service took to be healthy, once those that it depends on were."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a deployment did."""

    plan: Plan
    phases: tuple[PhaseReport, ...] = ()
    gate: str = ""
    """What the gate of the objectives said before."""


class DeploymentFailed(OpsError):
    """A phase did not pass its gate; `report` says what became of each."""

    def __init__(self, what: str, report: Report, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.report = report


def carry_out(
    here: Deployments, release: Release, plan: Plan, phases: Sequence[str], progress: Progress
) -> tuple[PhaseReport, ...]:
    """Bring these phases to what a written release means; the caller holds the lock.

    Raises:
        DeploymentFailed: when a phase does not pass its gate; it has been put back then, where it could be.
        OpsError: when an image cannot be had or a precondition does not hold; nothing was changed then.
    """
    due = [phase for phase in phases if plan.of_phase(phase) or not here.is_good(release, phase)]
    orders = [
        _order(here, release, phase, [s for s in plan.of_phase(phase) if _runs(s)])
        for phase in due
        if phase in release.phases
    ]
    for order in orders:
        _check(here, release, order)
    here.engine.ensure_networks(_networks(here, release))
    for order in orders:
        here.engine.pull(order, progress)
    # A phase that is not due runs as this release means it: by an earlier deployment, even one that was killed since.
    well = set(phases) - set(due)
    done: list[PhaseReport] = []
    for phase in due:
        try:
            report = _roll_out(here, release, plan, phase, progress)
        except NoEngine as error:
            _keep_what_was_done(here, release, well)
            raise NoEngine(
                f"the engine went away while {phase} was being rolled out: {error.what}",
                where=error.where,
                remedy="nothing was taken down; once it answers, deploy again, and the rest is done",
            ) from None
        except OpsError:
            _keep_what_was_done(here, release, well)
            raise
        if report.outcome is not Outcome.GOOD:
            back = put_back(here, release, phase, well, report, progress)
            raise _failure(back, Report(plan, (*done, back)))
        done.append(report)
        well.add(phase)
    here.releases.make_current(release.number)
    return tuple(done)


def _check(here: Deployments, release: Release, order: Order) -> None:
    """Have the engine read what would be run; what it refuses stands in the person's own file, and makes no release."""
    try:
        here.engine.check(order)
    except BadInput as error:
        here.releases.discard(release.number)
        written = (phase.file for phase in here.platform.phases if phase.name == order.file.stem)
        raise BadInput(error.what, where=str(next(written, error.where)), remedy=error.remedy) from None


def _keep_what_was_done(here: Deployments, release: Release, phases: set[str]) -> None:
    """Mean what runs by now: these phases as this release means them, the others as before."""
    last = here.releases.current()
    kept = _mixed(here, release, last, [], phases)
    if phases and not kept.means_the_same_as(last):
        here.releases.write(kept, f"as far as release {release.number} came", datetime.now(UTC))
        here.releases.make_current(kept.number)


def _roll_out(here: Deployments, release: Release, plan: Plan, phase: str, progress: Progress) -> PhaseReport:
    started, steps = time.monotonic(), plan.of_phase(phase)
    _refuse_without_what_it_needs(here, phase, steps)
    backup = _back_up(here, steps, progress)
    here.releases.conclude(release.number, phase, Outcome.UNDER_WAY)
    verdicts: list[Verdict] = []
    healthy: dict[str, float] = {}
    because = ""
    try:
        healthy = apply(here, release, phase, steps, progress)
        with progress.step(f"gate of {phase}"):
            verdicts = _ask(here, release, phase)
        because = _first_failure(here, verdicts)
    except NoEngine:
        # Nothing is known of the phase, and nothing could be put back.
        raise
    except OpsError as error:
        because = "\n".join(part for part in (error.what, error.where, error.remedy) if part)
    outcome = Outcome.FAILED if because else Outcome.GOOD
    here.releases.conclude(release.number, phase, outcome)
    report = PhaseReport(
        phase, release.number, outcome, steps, tuple(verdicts), time.monotonic() - started,
        because=because, backup_set=backup, healthy_seconds=healthy,
    )  # fmt: skip
    here.remember(report)
    return report


def apply(
    here: Deployments, release: Release, phase: str, steps: Sequence[Step], progress: Progress
) -> dict[str, float]:
    """Do the steps of one phase, those first that others depend on; the seconds each took to be healthy."""
    by_name = {step.service: step for step in steps if _runs(step)}
    seconds: dict[str, float] = {}
    for group in levels(by_name, {service.name: service.depends_on for service in here.platform}):
        gently = [name for name in group if _start_first(here, release, by_name[name])]
        others = [by_name[name] for name in group if name not in gently]
        if others:
            seconds |= here.engine.bring(_order(here, release, phase, others), progress)
        for name in gently:
            started = time.monotonic()
            order = _order(here, release, phase, [by_name[name]])
            replace_start_first(here.engine, order, here.platform.service(name), here.platform, progress)
            seconds[name] = time.monotonic() - started
        _switch_proxies(here, release, [step.service for step in others])
    # What a container had in hand that was made anew, nobody else would look for.
    here.hand_back([step.service for step in steps])
    gone = [step.service for step in steps if step.act is Act.REMOVE]
    if gone:
        project = here.project(release, phase)
        here.engine.remove(project, gone)
    return seconds


def put_back(
    here: Deployments,
    failed: Release,
    phase: str,
    well: set[str],
    report: PhaseReport,
    progress: Progress,
) -> PhaseReport:
    """Bring a failed phase back to the last release in which it was good, as a release of its own.

    Returns:
        The report, with what was done; nothing is done where the phase never was good, or where that would cross a
        major version of a service that holds state.
    """
    last = here.releases.current()
    good = here.releases.last_good(phase, failed.number)
    if good is None or last is None or phase not in last.phases:
        # What came up stays up, and is what is meant: nothing was there before.
        _keep_what_was_done(here, failed, well | {phase})
        return _with(report, because=f"{report.because}\nthere is no earlier release of {phase} to go back to")
    if crossed := next(crossings(failed, good, phase, here.platform), None):
        name, new, old = crossed
        kept = f"; backup set {report.backup_set} was taken before" if report.backup_set else ""
        why = (
            f"{phase} was not put back to release {good.number}: {name} would go from {new} to {old}, and data that"
            f" the newer has touched is not opened by the older{kept}; mend the new version, or make the service"
            f" anew from that set: docs/when-a-deployment-fails.md"
        )
        _keep_what_was_done(here, failed, well | {phase})
        return _with(report, because=f"{report.because}\n{why}")
    back = _mixed(here, failed, last, [good.of_phase(phase)], well, {phase: good.phases[phase]})
    here.releases.write(back, f"roll back {phase} to release {good.number}", datetime.now(UTC))
    here.releases.make_current(back.number)
    touched = {step.service for step in report.steps} | _different(good, last, phase)
    try:
        plan = make_plan(back, failed, here.running(back, [phase]), touched, others=here.scaled(back))
        apply(here, back, phase, plan.of_phase(phase), progress)
        with progress.step(f"gate of {phase}, put back"):
            because = _first_failure(here, _ask(here, back, phase))
    except OpsError as error:
        because = error.what
    here.releases.conclude(back.number, phase, Outcome.FAILED if because else Outcome.GOOD)
    if because:
        return _with(report, because=f"{report.because}\nand putting back release {good.number} failed: {because}")
    return _with(report, put_back_to=good.number)


def _different(good: Release, last: Release, phase: str) -> set[str]:
    """The services of a phase that the last release means otherwise than that one."""
    both = {one.name for release in (good, last) for one in release.of_phase(phase)}
    return {name for name in both if _spec(good, name) != _spec(last, name)}


def _spec(release: Release, name: str) -> str | None:
    return release.services[name].spec if name in release.services else None


def _with(report: PhaseReport, **changes: object) -> PhaseReport:
    from dataclasses import replace

    return replace(report, **changes)  # type: ignore[arg-type]


def _mixed(
    here: Deployments,
    failed: Release,
    last: Release | None,
    put_back: Sequence[Sequence[ReleasedService]],
    well: set[str],
    phases_put_back: Mapping[str, ReleasedPhase] | None = None,
) -> Release:
    """A release of the phases that went well, of what is put back, and of all else as it was meant before."""
    back = dict(phases_put_back or {})
    before = last.services.values() if last else ()
    services = [
        *(one for one in failed.services.values() if one.phase in well),
        *(one for group in put_back for one in group),
        *(one for one in before if one.phase not in back and one.phase not in well),
    ]
    phases = {**failed.phases, **(last.phases if last else {}), **back}
    phases |= {name: failed.phases[name] for name in well if name in failed.phases}
    whole = {name for name in failed.whole if name in well or (last is not None and name in last.whole)}
    return assemble(
        here.releases.next_number(), services, phases, whole, [phase.name for phase in here.platform.phases]
    )


def _failure(report: PhaseReport, whole: Report) -> DeploymentFailed:
    first, _, rest = report.because.partition("\n")
    if report.put_back_to is not None:
        what = f"phase {report.phase} did not pass, and runs as release {report.put_back_to} again: {first}"
        return DeploymentFailed(what, whole, where=rest, remedy="mend what failed, and deploy again")
    what = f"phase {report.phase} did not pass: {first}"
    return DeploymentFailed(what, whole, where=rest, remedy="see docs/when-a-deployment-fails.md")


def _refuse_without_what_it_needs(here: Deployments, phase: str, steps: Sequence[Step]) -> None:
    """A phase asks anew whether what it stands on is well: that it was so an hour ago says nothing."""
    needed = {
        name
        for step in steps
        if _runs(step)
        for name in here.platform.service(step.service).depends_on
        if here.platform.service(name).phase != phase
    }
    services = [here.platform.service(name) for name in sorted(needed)]
    if failed := [one for one in gate.ask(here.engine, services, PATIENCE_SECONDS) if not one.passed]:
        raise Refused(
            f"phase {phase} needs {failed[0].service}, which is not well: {failed[0].because}",
            remedy=f"deploy what it needs first: sutazai-ops deploy --services {','.join(v.service for v in failed)}",
        )


def _back_up(here: Deployments, steps: Sequence[Step], progress: Progress) -> str | None:
    """Take and prove a set of what holds state and is about to be made anew; its id, None where there is nothing."""
    held = [step.service for step in steps if step.act in MAKES_ANEW and _is_at_stake(here, step.service)]
    if not held:
        return None
    running = {one.service for one in here.engine.observe() if one.state is State.RUNNING}
    names = [name for name in held if name in running]
    if not names:
        return None
    with progress.step(f"backup of {', '.join(names)}"):
        return here.back_up(names)


def _is_at_stake(here: Deployments, name: str) -> bool:
    service = here.platform.service(name)
    return service.tier is Tier.STATEFUL and service.is_backed_up


def _ask(here: Deployments, release: Release, phase: str) -> list[Verdict]:
    meant = release.of_phase(phase)
    services = [here.platform.services[one.name] for one in meant if one.name in here.platform.services]
    one_shots = frozenset(one.name for one in meant if one.one_shot)
    project = here.project(release, phase)
    return gate.check(
        here.engine,
        services,
        one_shots,
        here.settings.deploy,
        lambda: here.engine.observe_project(project),
    )


def _first_failure(here: Deployments, verdicts: Sequence[Verdict]) -> str:
    failed = next((verdict for verdict in verdicts if not verdict.passed), None)
    if failed is None:
        return ""
    return "\n".join([f"{failed.service}: {failed.because}", *here.log_tail(failed.service, LOG_LINES)])


def _runs(step: Step) -> bool:
    return step.act is not Act.REMOVE


def _start_first(here: Deployments, release: Release, step: Step) -> bool:
    """Whether a copy can stand beside what runs: it runs, and is meant to be replaced so in the release."""
    return step.act in MAKES_ANEW and release.services[step.service].start_first and _has_proxy(here, step.service)


def _has_proxy(here: Deployments, name: str) -> bool:
    return here.platform.service(name).behind is not None


def _switch_proxies(here: Deployments, release: Release, names: Sequence[str]) -> None:
    """Point each proxy at what runs now, where it or something behind it was brought up."""
    for service in here.platform:
        if service.behind and service.name in release.services and {service.name, service.behind.proxy} & set(names):
            project = here.project(release, service.phase)
            containers: Mapping[str, Sequence[Container]] = here.engine.observe_project(project)
            there = [one for one in containers.get(service.name, ()) if one.state is State.RUNNING]
            point_proxy_at(here.engine, service, here.platform, there)


def _order(here: Deployments, release: Release, phase: str, steps: Sequence[Step]) -> Order:
    return Order(
        file=here.releases.file(release.number, phase),
        project=here.project(release, phase),
        services=tuple(step.service for step in steps),
        recreate=frozenset(step.service for step in steps if step.act is Act.RUNTIME_DRIFT),
        ending=frozenset(one.name for one in release.of_phase(phase) if one.one_shot),
        scaled=here.scaled(release),
    )


def _networks(here: Deployments, release: Release) -> list[Network]:
    """The external networks that services join: those that we say something of are ours to make, others are not."""
    found: dict[str, Network] = {}
    for phase in here.platform.phases:
        joined = {key for one in release.of_phase(phase.name) for key in one.definition.get("networks") or ("default",)}
        for key, network in phase.top.get("networks", {}).items():
            if key not in joined or not network.get("external"):
                continue
            name = str(network.get("name") or key)
            ours = "x-sutazai" in network
            # One phase says of it that it is ours, and another only joins it.
            if ours or name not in found:
                found[name] = Network(name, bool((network["x-sutazai"] or {}).get("internal")) if ours else None)
    return list(found.values())
