"""One installation's deployments: make a release and its plan, carry it out, go back, and say what was done.

This is the area's face: what the terminal, Dagster and remediation call. A plan can be made from files alone; only what
runs is asked from the engine, and where none answers the plan says that it was made without.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.deployment import inputs
from sutazai_ops.deployment.deploy import Report, apply, carry_out
from sutazai_ops.deployment.handback import hand_back
from sutazai_ops.deployment.limits import refuse_overcommit
from sutazai_ops.deployment.lint import refuse_findings
from sutazai_ops.deployment.plan import Step
from sutazai_ops.deployment.prepare import as_released, prepare, prepare_roll_back
from sutazai_ops.deployment.release import Outcome, Releases
from sutazai_ops.deployment.scaled import meant_copies, scaled
from sutazai_ops.engines import Act, Order
from sutazai_ops.errors import BadInput, OpsError, Refused, Unreachable
from sutazai_ops.lock import Held, exclusive
from sutazai_ops.maintenance import deploying
from sutazai_ops.person import who

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sutazai_ops.deployment.deploy import PhaseReport
    from sutazai_ops.deployment.drift import Drift
    from sutazai_ops.deployment.plan import Running
    from sutazai_ops.deployment.prepare import Look, Prepared
    from sutazai_ops.deployment.release import Release
    from sutazai_ops.engines import Engine
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import ScalingEntry
    from sutazai_ops.platform import Platform
    from sutazai_ops.progress import Progress
    from sutazai_ops.settings import Settings

LOCK_PAUSE_SECONDS = 0.5
LEFT_BEHIND_SECONDS = 900.0
"""How long to wait for the Compose of a deployment that was killed: as long as one may take at all."""


@dataclass(frozen=True, slots=True)
class Deployments:
    """What deployments need of an installation."""

    installation: Installation
    releases: Releases

    @classmethod
    def of(cls, installation: Installation) -> Deployments:
        """The deployments of an installation."""
        return cls(installation, Releases(installation.settings.releases))

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.installation.settings

    @property
    def platform(self) -> Platform:
        """What may run."""
        return self.installation.platform

    @property
    def engine(self) -> Engine:
        """Where it runs."""
        return self.installation.engine

    def plan(self, *, phases: Sequence[str] | None = None, services: Sequence[str] | None = None) -> Prepared:
        """As `prepare`; where no engine answers, as if what runs were what the last release means."""
        try:
            return self.prepare(phases=phases, services=services)
        except Unreachable as error:
            prepared = self.prepare(phases=phases, services=services, look=as_released)
            return replace(prepared, unseen=error.what)

    def prepare(
        self,
        *,
        phases: Sequence[str] | None = None,
        services: Sequence[str] | None = None,
        look: Look | None = None,
    ) -> Prepared:
        """Make the release in which these phases or services are as the files say, and the plan to get there.

        Raises:
            BadInput: for a name that is not known, or a file that is wrong.
        """
        return prepare(self, phases=phases, services=services, look=look)

    def deploy(
        self,
        progress: Progress,
        *,
        phases: Sequence[str] | None = None,
        services: Sequence[str] | None = None,
        because: str = "deploy",
        override: str | None = None,
    ) -> Report:
        """Prepare and carry out, under the lock and behind the gate of the objectives.

        Args:
            progress: told of each step.
            phases: those to deploy as a whole.
            services: those to deploy by themselves.
            because: why, for the release.
            override: why it shall go on though the gate is closed.

        Raises:
            Refused: when another deployment is under way, the limits do not fit the host, or the gate is closed.
            DeploymentFailed: when a phase does not pass its gate.
            OpsError: when something is not there that has to be.
        """
        with self.locked(because, progress):
            prepared = self.prepare(phases=phases, services=services)
            gate = self._pass_gate(prepared, override, progress)
            if prepared.inputs.to_generate:
                # Their versions are part of what a service is made of, so the release is made again with them.
                inputs.generate_secrets(self.settings, self.platform, prepared.inputs)
                prepared = self.prepare(phases=phases, services=services)
            refuse_findings(prepared.findings, self.platform, strict=self.settings.is_strict)
            if prepared.plan.changes:
                refuse_overcommit(
                    prepared.release,
                    self.engine.capacity(),
                    allowed=self.settings.deploy.allow_overcommit,
                    others=self.scaled(prepared.release),
                )
            inputs.copy_mounted_files(prepared.inputs, self.releases.folder)
            self._write(prepared.release, because)
            with self._untold(prepared.plan.changes, because):
                done = carry_out(self, prepared.release, prepared.plan, prepared.phases, progress)
            return Report(prepared.plan, done, gate)

    def _pass_gate(self, prepared: Prepared, override: str | None, progress: Progress) -> str:
        """Ask the objectives whether a deployment may begin; nothing is asked where nothing would be done."""
        from sutazai_ops import slo
        from sutazai_ops.deployment.meant import meant_to_run

        if not prepared.plan.changes:
            return ""
        services = meant_to_run(self.installation)
        with progress.step("gate"):
            return slo.pass_gate(self.installation, services, override, who(), prepared.release.number)

    def look_at_gate(self) -> str:
        """What the gate would say of a deployment, from what is known already, or why it cannot say anything."""
        from sutazai_ops import slo
        from sutazai_ops.deployment.meant import meant_to_run

        if self.settings.slo.gate == "off":
            return "off"
        try:
            return slo.look_at_gate(self.installation, meant_to_run(self.installation)).sentence
        except OpsError as error:
            return f"not known: {error.what}"

    def prepare_roll_back(self, to: int, phases: Sequence[str] | None = None) -> Prepared:
        """Make the release in which these phases are as release `to` meant them; all of its phases for None.

        Raises:
            BadInput: when there is no such release, or it has not such a phase.
            Refused: when that crosses a major version of a service that holds state.
        """
        return prepare_roll_back(self, to, phases)

    def roll_back(self, progress: Progress, to: int, phases: Sequence[str] | None = None) -> Report:
        """Carry out what `prepare_roll_back` makes, under the lock; raises as it and `deploy` do."""
        because = f"roll back to release {to}"
        with self.locked(because, progress):
            prepared = self.prepare_roll_back(to, phases)
            self._write(prepared.release, because)
            with self._untold(prepared.plan.changes, because):
                done = carry_out(self, prepared.release, prepared.plan, prepared.phases, progress)
            return Report(prepared.plan, done)

    def recreate(self, progress: Progress, service: str, because: str) -> int:
        """Make a service anew as the current release means it, under the lock; behind a proxy without losing a request.

        Returns:
            The release's number.

        Raises:
            Refused: when a deployment is under way.
            OpsError: when no release has it, or it does not come up.
        """
        with self.locked(f"recreate {service}", progress):
            release = self.releases.current()
            if release is None or service not in release.services:
                raise Refused(f"no release has {service}", remedy=f"sutazai-ops deploy --services {service}")
            phase = release.services[service].phase
            steps = [Step(service, phase, Act.RUNTIME_DRIFT, because)]
            with self._untold(steps, because):
                apply(self, release, phase, steps, progress)
            return release.number

    def scale(
        self, progress: Progress, service: str, copies: int, decision: Callable[[int, int], ScalingEntry]
    ) -> ScalingEntry:
        """Run so many containers of a service, under the lock, and write that down: it is what is meant from then on.

        Args:
            progress: told of each step.
            service: of the current release; stateless, and behind no proxy.
            copies: at least one.
            decision: makes the entry of the ledger out of how many the release says and how many were meant before.

        Returns:
            The entry, with what became of it.

        Raises:
            Refused: when it cannot have more than one, its copies do not fit the host, or a deployment is under way.
            OpsError: when it did not come to that number; what was meant before still is.
        """
        from sutazai_ops.deployment.scaling import refuse_to_scale

        with self.locked(f"scale {service}", progress):
            release = self.releases.current()
            if release is None or service not in release.services:
                raise Refused(f"no release has {service}", remedy=f"sutazai-ops deploy --services {service}")
            meant, others = release.services[service], self.scaled(release)
            refuse_to_scale(self.platform.service(service), meant, copies)
            before = meant_copies(meant, others)
            if copies > before:
                refuse_overcommit(
                    release,
                    self.engine.capacity(),
                    allowed=self.settings.deploy.allow_overcommit,
                    others={**others, service: copies},
                )
            entry = self.installation.ledger.record_scaling(decision(meant_copies(meant, {}), before))
            return self._carry_out_scaling(release, entry, progress)

    def _carry_out_scaling(self, release: Release, entry: ScalingEntry, progress: Progress) -> ScalingEntry:
        ledger, number = self.installation.ledger, entry.id or 0
        phase = release.services[entry.service].phase
        order = Order(
            file=self.releases.file(release.number, phase),
            project=self.project(release, phase),
            services=(entry.service,),
            scaled=self.scaled(release),
        )
        try:
            gone = self.engine.scale(order, entry.service, entry.after, progress)
        except OpsError as error:
            ledger.conclude_scaling(number, "failed", error.what)
            raise
        note = self.hand_back([entry.service]) if gone else ""
        ledger.conclude_scaling(number, "done", note)
        return replace(entry, outcome="done", note=note)

    def hand_back(self, services: Sequence[str]) -> str:
        """Hand back what containers that are gone had in hand, and say so; what cannot be now is so another time."""
        try:
            count = hand_back(self.engine, self.platform, services)
        except OpsError as error:
            return f"what they had in hand was not handed back: {error.what}"
        return f"{human.count(count, 'task')} handed back to the queue" if count else ""

    def scaled(self, release: Release) -> dict[str, int]:
        """The services of a release that are meant to have another number of containers than it says, and how many."""
        return scaled(release, self.installation.standing_scalings())

    def copies(self, service: str) -> int:
        """How many containers of a service are meant to run; 0 where no release has it."""
        release = self.releases.current()
        if release is None or service not in release.services:
            return 0
        return meant_copies(release.services[service], self.scaled(release))

    def look_for_drift(self) -> tuple[int, list[Drift]]:
        """Hold what runs against the current release, and write down what was found.

        Returns:
            The release's number, and each thing that is not as it means.

        Raises:
            BadInput: when nothing was ever deployed here.
        """
        from sutazai_ops.deployment.drift import find_drift
        from sutazai_ops.deployment.records import drift_entry

        release = self.releases.current()
        if release is None:
            raise BadInput("nothing was ever deployed here", remedy="sutazai-ops deploy")
        running = self.running(release, tuple(release.phases))
        found = find_drift(release, running, self.releases.folder, others=self.scaled(release))
        self.installation.ledger.record_drift(drift_entry(release.number, found, datetime.now(UTC)))
        return release.number, found

    def running(self, release: Release, phases: Sequence[str], last: Release | None = None) -> Running:
        """What the engine sees of these phases' projects."""
        known = {**(last.phases if last else {}), **release.phases}
        return {phase: self.engine.observe_project(known[phase].project) for phase in phases if phase in known}

    def project(self, release: Release, phase: str) -> str:
        """The Compose project of a phase, of one too of which nothing is meant to run any more."""
        known = release if phase in release.phases else self.releases.current()
        return known.phases[phase].project if known else self.platform.phase(phase).project

    def is_good(self, release: Release, phase: str) -> bool:
        """Whether the phase passed its gate as this release, or the one it was carried over from, means it."""
        for number in self.releases.numbers():
            if number <= release.number and (outcome := self.releases.record(number).outcomes.get(phase)):
                return outcome is Outcome.GOOD
        return False

    def back_up(self, services: Sequence[str]) -> str:
        """Take and prove a backup set of these services; its id.

        Raises:
            OpsError: when it cannot be taken, or is not worth anything.
        """
        from sutazai_ops.backups.manifest import Outcome as Worth
        from sutazai_ops.backups.night import Backups, prove_set, take_set
        from sutazai_ops.progress import Silent

        backups = Backups.of(self.installation)
        taken = take_set(backups, backups.services(services), Silent())
        proof = prove_set(backups, taken, Silent())
        if proof.outcome is not Worth.VERIFIED:
            raise Refused(
                f"the backup that was taken before the change is {proof.outcome}, so nothing was changed",
                where=taken.id,
                remedy=f"sutazai-ops backup verify {taken.id}",
            )
        return taken.id

    def log_tail(self, service: str, lines: int) -> list[str]:
        """The last lines of a service's log; why there are none, where that is so."""
        try:
            return self.engine.logs(service, lines)
        except OpsError as error:
            return [error.what]

    def remember(self, report: PhaseReport) -> None:
        """Write a phase's roll-out down in the ledger."""
        from sutazai_ops.deployment.records import deployment_entry

        reason = self.releases.record(report.release).because
        self.installation.ledger.record_deployment(deployment_entry(report, reason, datetime.now(UTC)))

    @contextmanager
    def locked(self, what: str, progress: Progress) -> Iterator[None]:
        """Hold the lock of this installation's deployments, waiting for it as long as the settings say.

        Where its holder was killed, what that one had started is waited for: it ends by itself, and then nobody else
        changes anything.

        Raises:
            Refused: naming who holds it.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self.releases.folder, what))
            except Held as held:
                seconds = LEFT_BEHIND_SECONDS if held.outlived else self.settings.deploy.lock_wait_seconds
                with progress.step(
                    "wait for what a killed deployment had started" if held.outlived else "wait for the lock"
                ):
                    self._wait(stack, what, time.monotonic() + seconds)
            yield

    def _untold(self, steps: Sequence[Step], because: str) -> AbstractContextManager[None]:
        """Tell nobody of the services that these steps touch while they are done."""
        phases = len({step.phase for step in steps})
        at_most = timedelta(seconds=LEFT_BEHIND_SECONDS * phases)
        return deploying(lambda: self.installation.ledger, [step.service for step in steps], because, at_most)

    def _wait(self, stack: ExitStack, what: str, deadline: float) -> None:
        while True:
            try:
                stack.enter_context(exclusive(self.releases.folder, what))
            except Held:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(LOCK_PAUSE_SECONDS)
            else:
                return

    def _write(self, release: Release, because: str) -> None:
        if release.number not in self.releases.numbers():
            self.releases.write(release, because, datetime.now(UTC))
