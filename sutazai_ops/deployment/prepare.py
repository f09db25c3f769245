"""Makes a release that could be carried out, and the plan to get there: reads files and looks at what runs.

Nothing is changed, and nothing is written but generated configuration, which follows from files and settings alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.deployment import inputs
from sutazai_ops.deployment.compare import Difference
from sutazai_ops.deployment.files import changed_copies
from sutazai_ops.deployment.limits import refuse_overcommit
from sutazai_ops.deployment.lint import lint
from sutazai_ops.deployment.major import crossings
from sutazai_ops.deployment.plan import make_plan
from sutazai_ops.deployment.release import make_release
from sutazai_ops.deployment.scaled import explain, scaled
from sutazai_ops.deployment.selection import select
from sutazai_ops.engines import Act, Container, Health, State
from sutazai_ops.errors import BadInput, Refused
from sutazai_ops.platform import Tier
from sutazai_ops.platform.copies import copies

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.deployment.deployments import Deployments
    from sutazai_ops.deployment.inputs import Inputs
    from sutazai_ops.deployment.lint import Finding
    from sutazai_ops.deployment.plan import Plan, Running
    from sutazai_ops.deployment.release import Release, ReleasedService
    from sutazai_ops.deployment.selection import Selection
    from sutazai_ops.platform import Platform


@dataclass(frozen=True, slots=True)
class Prepared:
    """A release that could be carried out, and what that would change. Nothing is written yet."""

    release: Release
    plan: Plan
    phases: tuple[str, ...]
    """The phases that are touched, in roll-out order."""
    inputs: Inputs
    """The files to copy and the secrets to generate before the release can run."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it would be done."""
    findings: tuple[Finding, ...] = ()
    """What the lint says of it."""
    unseen: str = ""
    """Why what runs could not be looked at, where the plan was made against the last release alone."""


Look = Callable[["Release", "Sequence[str]", "Release | None"], "Running"]
"""How what runs is come to know."""


def prepare(
    here: Deployments,
    *,
    phases: Sequence[str] | None,
    services: Sequence[str] | None,
    look: Look | None = None,
) -> Prepared:
    """Make the release in which these phases or services are as the files say, and the plan to get there.

    Raises:
        BadInput: for a name that is not known, or a file that is wrong.
        Refused: where a phase would run as another Compose project than before.
    """
    last = here.releases.current()
    selection = select(
        here.platform,
        phases=phases,
        services=services,
        present=last.services if last else (),
        cannot_run=here.engine.cannot_run,
    )
    whole = {*(last.whole if last else ()), *selection.phases}
    inputs.write_generated(here.settings, here.platform)
    gathered = inputs.gather(here.settings, here.platform, selection.services, whole)
    replaced = {*selection.services, *_gone(last, selection)}
    release = make_release(
        here.releases.next_number(),
        gathered.wanted,
        gathered.tops,
        last=last,
        whole=whole,
        replaced=replaced,
        order=[phase.name for phase in here.platform.phases],
    )
    if last and release.means_the_same_as(last):
        release = last
    _refuse_other_project(release, last)
    touched = _touched(here.platform, release, selection, replaced, last)
    running = (look or here.running)(release, touched, last)
    edited = _edited(release, last, replaced, here.releases.folder)
    decided = {} if look else here.installation.standing_scalings()
    plan = make_plan(release, last, running, replaced, selection.left_out, edited, scaled(release, decided))
    notes = [*_how(here, release, plan), *explain(release, decided), *(() if look else _too_much(here, release, plan))]
    return Prepared(release, plan, touched, gathered, tuple(notes), tuple(lint(release, here.platform)))


def prepare_roll_back(here: Deployments, to: int, phases: Sequence[str] | None) -> Prepared:
    """Make the release in which these phases are as release `to` meant them; all of its phases for None.

    Raises:
        BadInput: when there is no such release, or it has not such a phase.
        Refused: when that crosses a major version of a service that holds state, or a file that it mounts is gone.
    """
    target, last = here.releases.read(to), here.releases.current()
    if last is None:
        raise BadInput("nothing was ever deployed here", where=str(here.releases.folder))
    chosen = tuple(phases or target.phases)
    for phase in chosen:
        if phase not in target.phases:
            raise BadInput(f"release {to} has no phase {phase}", remedy=f"it has: {', '.join(target.phases)}")
        for name, new, old in crossings(last, target, phase, here.platform):
            raise Refused(
                f"release {to} runs {name} as {old}, and now it is {new}: the older major does not open the data",
                remedy="restore a backup set that the older version made: docs/when-a-deployment-fails.md",
            )
        for service in target.of_phase(phase):
            configs = target.config_files(service)
            for file, _, found in changed_copies(service.definition, here.releases.folder, configs):
                raise Refused(
                    f"release {to} mounts {file} into {service.name}, and its copy is {_words(found)}",
                    where=str(here.releases.folder / "files"),
                    remedy="put the old file into the platform's folder, and deploy",
                )
    services = [one for one in last.services.values() if one.phase not in chosen]
    services += [one for phase in chosen for one in target.of_phase(phase)]
    release = last.model_copy(
        update={
            "number": here.releases.next_number(),
            "phases": {**last.phases, **{phase: target.phases[phase] for phase in chosen}},
            "services": {one.name: one for one in services},
        }
    )
    if release.means_the_same_as(last):
        release = last
    plan = make_plan(release, last, here.running(release, chosen, last), others=here.scaled(release))
    return Prepared(release, plan, chosen, inputs.NOTHING, tuple(_how(here, release, plan)))


def _how(here: Deployments, release: Release, plan: Plan) -> Iterator[str]:
    """In which way services would be made anew, where that matters to those who use them."""
    for step in plan.changes:
        service = here.platform.services.get(step.service)
        if service is None or step.act not in {Act.RECREATE, Act.RUNTIME_DRIFT}:
            continue
        if service.behind and release.services[step.service].start_first:
            proxy = service.behind.proxy
            yield f"{step.service} is started beside the old one, and {proxy} switched then: no request is lost"
        if service.tier is Tier.STATEFUL and service.is_backed_up:
            yield f"{step.service} is backed up, and the backup proved, before it is made anew"


def _too_much(here: Deployments, release: Release, plan: Plan) -> Iterator[str]:
    """That the limits do not fit the host, where a deployment would be refused for it."""
    if not plan.changes:
        return
    try:
        refuse_overcommit(
            release,
            here.engine.capacity(),
            allowed=here.settings.deploy.allow_overcommit,
            others=here.scaled(release),
        )
    except Refused as error:
        yield f"this would be refused: {error.what} ({error.where})"


def _words(found: str) -> str:
    return found if " " in found else "not what it was"


def _edited(
    release: Release, last: Release | None, services: Collection[str], folder: Path
) -> Mapping[str, tuple[Difference, ...]]:
    """The mounted copies of these services that somebody has edited since the last release put them there."""
    found: dict[str, tuple[Difference, ...]] = {}
    for name, service in release.services.items():
        before = last.services.get(name) if last else None
        if name in services and before and before.spec == service.spec:
            changed = changed_copies(service.definition, folder, release.config_files(service))
            found[name] = tuple(Difference(f"file {file}", meant[:8], _short(now)) for file, meant, now in changed)
    return found


def _short(found: str) -> str:
    return found if " " in found else found[:8]


def as_released(release: Release, phases: Sequence[str], last: Release | None) -> Running:  # noqa: ARG001
    """What would run, were it as the last release means it."""
    return {
        phase: {one.name: (_as_meant(one),) * copies(one.definition) for one in last.of_phase(phase)} if last else {}
        for phase in phases
    }


def _as_meant(service: ReleasedService) -> Container:
    image = str(service.definition.get("image", ""))
    return Container(
        id="",
        name=service.name,
        project="",
        state=State.RUNNING,
        health=Health.UNKNOWN,
        image=image,
        image_id=image,
        spec=service.spec,
        release=service.release,
        is_process=True,
    )


def _refuse_other_project(release: Release, last: Release | None) -> None:
    """Raise `Refused` where a phase would run as another Compose project, and so on other volumes than before."""
    for name, phase in release.phases.items():
        before = last.phases.get(name) if last else None
        if before and before.project != phase.project:
            raise Refused(
                f"the phase {name} runs as the project {before.project}, and its file now says {phase.project}: what is"
                " in its volumes would stay behind",
                where=name,
                remedy=f"write name: {before.project} into its file, or first: sutazai-ops down --phase {name}",
            )


def _gone(last: Release | None, selection: Selection) -> set[str]:
    """What the last release had in these phases; where no file has it any more, it goes."""
    return {service.name for service in last.services.values() if service.phase in selection.phases} if last else set()


def _touched(
    platform: Platform, release: Release, selection: Selection, replaced: set[str], last: Release | None
) -> tuple[str, ...]:
    phases = {*selection.phases, *(platform.services[name].phase for name in selection.services)}
    before = last.services if last else {}
    phases |= {before[name].phase for name in replaced if name in before}
    known = [phase.name for phase in platform.phases]
    order = [*known, *(phase for phase in (last.phases if last else ()) if phase not in known)]
    there = {*release.phases, *(last.phases if last else ())}
    return tuple(phase for phase in order if phase in phases and phase in there)
