"""Releases: what one roll-out meant to run, as Compose files that anybody can run by hand.

`releases/<n>/` holds one Compose file a phase and `release.json`. The files are canonical: the same input gives the
same bytes. A service whose definition has not changed keeps the number of the release in which it was new, so that
nothing is made anew only because a number has moved on. What a roll-out came to stands beside it in `outcome.json`, and
`releases/current` names the release that is meant to run now; both are written whole or not at all. No release is ever
changed, and going back makes a new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import AwareDatetime, Field, ValidationError

from sutazai_ops.engines.labels import PHASE, RELEASE, SPEC
from sutazai_ops.errors import BadInput, Corrupt, OpsError
from sutazai_ops.model import Model
from sutazai_ops.platform.compose_file import ComposeDumper
from sutazai_ops.platform.mounts import used

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from sutazai_ops.deployment.wanted import WantedService

CURRENT = "current"
HEAD = (
    "# Release {number}, phase {phase}. Run it by hand, after its networks were made:\n"
    "#   docker compose -f {phase}.yaml up -d\n"
)


class ReleasedService(Model):
    """One service as a release means it."""

    name: str
    phase: str
    spec: str
    """The hash of all that it is made of."""
    release: int
    """The release in which that hash was new."""
    one_shot: bool = False
    """Whether it is done once it has ended well."""
    start_first: bool = False
    """Whether a new version is started beside the old one, which then is taken away."""
    definition: Mapping[str, Any] = Field(repr=False)
    """As it stands in the release's Compose file, labels among it."""


class ReleasedPhase(Model):
    """What a phase's Compose file says beside its services."""

    project: str
    top: Mapping[str, Any] = Field(repr=False)
    """Its networks, volumes, secrets and configs."""


class Release(Model):
    """What is meant to run."""

    number: int
    phases: Mapping[str, ReleasedPhase]
    """Those of which anything is meant to run, in roll-out order."""
    whole: tuple[str, ...] = ()
    """The phases that were rolled out as a whole, whose overlays are in force."""
    services: Mapping[str, ReleasedService]

    def of_phase(self, phase: str) -> list[ReleasedService]:
        """The services of a phase, in the order of the release."""
        return [service for service in self.services.values() if service.phase == phase]

    def config_files(self, service: ReleasedService) -> list[str]:
        """The files of the configs that a service is given, as the phase's Compose file names them."""
        declared = self.phases[service.phase].top.get("configs", {})
        named = [declared.get(name, {}) for name in used(service.definition, "configs")]
        return [str(config["file"]) for config in named if config.get("file")]

    def means_the_same_as(self, other: Release | None) -> bool:
        """Whether nothing but the number tells the two apart."""
        return other is not None and self.model_copy(update={"number": other.number}) == other


class Outcome(StrEnum):
    """What a roll-out of a phase came to."""

    GOOD = "good"
    """Every service was healthy and passed its probes."""
    FAILED = "failed"
    UNDER_WAY = "under way"
    """It has not ended, or was killed before it did."""


class Record(Model):
    """What is known of a release beside what it means."""

    number: int
    created_at: AwareDatetime
    because: str
    """Why it was made: "deploy", "roll back monitoring to release 41"."""
    outcomes: Mapping[str, Outcome] = Field(default_factory=dict)
    """By phase; a phase that is not named was carried over from the release before."""


def make_release(
    number: int,
    wanted: Iterable[WantedService],
    tops: Mapping[str, ReleasedPhase],
    *,
    last: Release | None,
    whole: Collection[str],
    replaced: Collection[str],
    order: Sequence[str],
) -> Release:
    """What shall run: `wanted` in the place of the services `replaced`, all else as in the last release.

    Args:
        number: of the new release.
        wanted: the services that are meant anew; those of `replaced` that are not among them are gone.
        tops: what the phases' files say beside their services.
        last: the release that is meant to run now.
        whole: the phases that are rolled out as a whole.
        replaced: names of services.
        order: of the phases in a roll-out.
    """
    before = last.services if last else {}
    services = {name: service for name, service in before.items() if name not in replaced}
    services |= {one.name: _released(number, one, before.get(one.name)) for one in wanted}
    phases = {**(last.phases if last else {}), **tops}
    return assemble(number, services.values(), phases, whole, order)


def assemble(
    number: int,
    services: Iterable[ReleasedService],
    phases: Mapping[str, ReleasedPhase],
    whole: Collection[str],
    order: Sequence[str],
) -> Release:
    """A release of these services, in the order in which every release is written; phases without one are left out."""
    everything = list(services)
    used = {service.phase for service in everything}
    position = {phase: index for index, phase in enumerate([*order, *sorted(set(phases) - set(order))])}
    everything.sort(key=lambda service: (position[service.phase], service.name))
    return Release(
        number=number,
        phases={phase: phases[phase] for phase in sorted(used, key=position.__getitem__)},
        whole=tuple(sorted(whole)),
        services={service.name: service for service in everything},
    )


def without_phases(release: Release, gone: Collection[str], number: int) -> Release:
    """A release of what another one means but for these phases.

    One that only changes services of others stays in force: nothing of its own can be taken down.
    """
    kept = [service for service in release.services.values() if service.phase not in gone]
    taken = {service.phase for service in release.services.values()} & set(gone)
    return assemble(number, kept, release.phases, set(release.whole) - taken, list(release.phases))


def _released(number: int, wanted: WantedService, before: ReleasedService | None) -> ReleasedService:
    since = before.release if before and before.spec == wanted.spec and before.phase == wanted.phase else number
    labels = {**wanted.definition.get("labels", {}), SPEC: wanted.spec, RELEASE: str(since), PHASE: wanted.phase}
    definition = {**wanted.definition, "labels": dict(sorted(labels.items()))}
    return ReleasedService(
        name=wanted.name,
        phase=wanted.phase,
        spec=wanted.spec,
        release=since,
        one_shot=wanted.one_shot,
        start_first=wanted.start_first,
        definition=definition,
    )


def phase_text(release: Release, phase: str) -> str:
    """The phase's Compose file: sorted keys, so that the same release gives the same bytes."""
    about = release.phases[phase]
    content = {
        "name": about.project,
        "services": {service.name: dict(service.definition) for service in release.of_phase(phase)},
        **{key: value for key, value in about.top.items() if value},
    }
    head = HEAD.format(number=release.number, phase=phase)
    return head + yaml.dump(content, Dumper=ComposeDumper, sort_keys=True, allow_unicode=True, width=120)


class Releases:
    """The folder of releases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        """Every release there is, the newest first."""
        if not self.folder.exists():
            return []
        return sorted((int(path.parent.name) for path in self.folder.glob("[0-9]*/release.json")), reverse=True)

    def file(self, number: int, phase: str) -> Path:
        """The Compose file of a phase of a release."""
        return self.folder / str(number) / f"{phase}.yaml"

    def next_number(self) -> int:
        """The number of the next release."""
        return max(self.numbers(), default=0) + 1

    def current(self) -> Release | None:
        """The release that is meant to run now; None before the first.

        Raises:
            Corrupt: when what is there cannot be read.
        """
        try:
            number = int((self.folder / CURRENT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OpsError(f"the releases cannot be read: {error.strerror}", where=str(self.folder)) from None
        except ValueError:
            raise Corrupt(
                "it is not known which release is meant to run",
                where=str(self.folder / CURRENT),
                remedy=f"write the number of one into it: {', '.join(map(str, self.numbers()))}",
            ) from None
        return self.read(number)

    def read(self, number: int) -> Release:
        """One release.

        Raises:
            BadInput: when there is none of that number.
            Corrupt: when it cannot be read.
        """
        file = self.folder / str(number) / "release.json"
        try:
            return Release.model_validate_json(file.read_text(encoding="utf-8"), strict=False)
        except FileNotFoundError:
            known = ", ".join(map(str, self.numbers())) or "none"
            raise BadInput(f"there is no release {number}", remedy=f"there are: {known}") from None
        except (ValidationError, UnicodeDecodeError) as error:
            raise Corrupt(
                f"release {number} cannot be read: {str(error).splitlines()[0]}",
                where=str(file),
                remedy="deploy again; the other releases are as they were",
            ) from None

    def record(self, number: int) -> Record:
        """What is known of a release; raises as `read`."""
        file = self.folder / str(number) / "outcome.json"
        try:
            return Record.model_validate_json(file.read_text(encoding="utf-8"), strict=False)
        except (FileNotFoundError, ValidationError, UnicodeDecodeError) as error:
            raise Corrupt(f"it is not known what release {number} came to: {error}", where=str(file)) from None

    def write(self, release: Release, because: str, now: datetime) -> None:
        """Put a new release there, whole or not at all; raises `OpsError` where the folder cannot be written."""
        folder = self.folder / str(release.number)
        partial = self.folder / f".{release.number}.partial"
        texts = {f"{phase}.yaml": phase_text(release, phase) for phase in release.phases}
        texts["release.json"] = release.model_dump_json(indent=2) + "\n"
        record = Record(number=release.number, created_at=now, because=because)
        texts["outcome.json"] = record.model_dump_json(indent=2) + "\n"
        try:
            partial.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (partial / name).write_text(text, encoding="utf-8")
            partial.rename(folder)
        except OSError as error:
            raise OpsError(
                f"cannot write release {release.number}: {error.strerror}",
                where=str(folder),
                remedy="nothing was changed; make room or let this user write there, and deploy again",
            ) from None

    def discard(self, number: int) -> None:
        """Take a release away again of which nothing was made yet; one that anything was made of stays."""
        current = self.current()
        if not self.record(number).outcomes and (current is None or current.number != number):
            # Gone at once for whoever lists the releases, though removing it takes as long as it takes.
            gone = (self.folder / str(number)).rename(self.folder / f".{number}.{os.getpid()}")
            shutil.rmtree(gone)

    def conclude(self, number: int, phase: str, outcome: Outcome) -> None:
        """Write down what the roll-out of a phase came to."""
        record = self.record(number)
        record = record.model_copy(update={"outcomes": {**record.outcomes, phase: outcome}})
        self._replace(self.folder / str(number) / "outcome.json", record.model_dump_json(indent=2) + "\n")

    def make_current(self, number: int) -> None:
        """Mean this release to run from now on."""
        self._replace(self.folder / CURRENT, f"{number}\n")

    def last_good(self, phase: str, before: int) -> Release | None:
        """The newest release before that one in which the phase was good; None when it never was."""
        for number in self.numbers():
            if number < before and self.record(number).outcomes.get(phase) is Outcome.GOOD:
                return self.read(number)
        return None

    def _replace(self, file: Path, text: str) -> None:
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(file)
        except OSError as error:
            raise OpsError(f"cannot write {file.name}: {error.strerror}", where=str(file)) from None
