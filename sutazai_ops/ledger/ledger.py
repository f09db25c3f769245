"""Writes down what was done, and answers what was done lately.

Each method is one transaction. Recording the same set or the same verification again replaces what stood there, so a
step that is repeated after a crash does no harm.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from sutazai_ops.ledger.access import Access, without
from sutazai_ops.ledger.entries import (
    BaselineEntry,
    DayValueEntry,
    DeploymentEntry,
    DriftEntry,
    EventEntry,
    FactEntry,
    NoticeEntry,
    NoticeUpdateEntry,
    OverrideEntry,
    Prune,
    QuestionEntry,
    Restore,
    ScalingEntry,
    ServiceDayEntry,
    SetEntry,
    VerificationEntry,
    WindowEntry,
)
from sutazai_ops.ledger.tables import (
    backup_sets,
    baselines,
    day_values,
    deployments,
    drifts,
    events,
    facts,
    notice_updates,
    notices,
    overrides,
    prunes,
    questions,
    restores,
    scalings,
    service_days,
    verifications,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection, Table
    from sqlalchemy.dialects import postgresql, sqlite

    from sutazai_ops.ledger.incident_log import IncidentLog

# Reading a set through takes nothing from an earlier restore of it, and a check without an end takes nothing at all.
_SAYS_MORE = {"could not check": ("verified", "read", "corrupt"), "read": ("verified",)}


_Keyed = SetEntry | VerificationEntry | FactEntry | QuestionEntry | EventEntry | ServiceDayEntry | DayValueEntry
"""What is known by a key of its own, and replaced under it."""
_Numbered = Restore | Prune | DeploymentEntry | DriftEntry | OverrideEntry | NoticeEntry | NoticeUpdateEntry
"""What is only ever added."""


class Ledger(Access):
    """The ledger, open."""

    @property
    def incidents(self) -> IncidentLog:
        """The incidents, and what was decided and done about them."""
        from sutazai_ops.ledger.incident_log import IncidentLog

        return IncidentLog(self._engine, self.where)

    def record_set(self, entry: SetEntry) -> None:
        """Write down a set, or what has become of it."""
        with self._writing() as connection:
            _put(connection, backup_sets, [entry])

    def record_verification(self, entry: VerificationEntry) -> None:
        """Write down a proof of a set, and what the set is worth now."""
        with self._writing() as connection:
            _put(connection, verifications, [entry])
            connection.execute(
                update(backup_sets)
                .where(backup_sets.c.id == entry.set, backup_sets.c.outcome.not_in(_SAYS_MORE.get(entry.outcome, ())))
                .values(outcome=entry.outcome)
            )

    def record_restore(self, restore: Restore) -> None:
        """Write down a restore that has ended, well or not."""
        with self._writing() as connection:
            connection.execute(insert(restores), _row(restore))

    def record_prune(self, prune: Prune) -> None:
        """Write down a prune, and mark the sets that went with it."""
        with self._writing() as connection:
            connection.execute(insert(prunes), _row(prune))
            _mark_deleted(connection, prune.deleted, prune.at)

    def record_deployment(self, entry: DeploymentEntry) -> None:
        """Write down what the roll-out of a phase came to."""
        with self._writing() as connection:
            connection.execute(insert(deployments), _row(entry))

    def record_drift(self, entry: DriftEntry) -> None:
        """Write down what a look at the engine found."""
        with self._writing() as connection:
            connection.execute(insert(drifts), _row(entry))

    def record_facts(self, entries: Sequence[FactEntry]) -> None:
        """Write facts down, each in the place of the one of its objective and day."""
        with self._writing() as connection:
            _put(connection, facts, entries)

    def record_questions(self, entries: Sequence[QuestionEntry]) -> None:
        """Write down what is asked; what was known before keeps the time when it was first asked."""
        with self._writing() as connection:
            known = {(row.question, row.objective) for row in connection.execute(select(questions))}
            _put(connection, questions, [one for one in entries if (one.question, one.objective) not in known])

    def record_override(self, entry: OverrideEntry) -> None:
        """Write down that somebody went past a closed gate, and why."""
        with self._writing() as connection:
            connection.execute(insert(overrides), _row(entry))

    def record_events(self, entries: Sequence[EventEntry]) -> None:
        """Write events of other programs down, each in the place of the one of its lane and id."""
        with self._writing() as connection:
            _put(connection, events, entries)

    def facts_between(self, first: date, last: date, objectives: Collection[str] | None = None) -> list[FactEntry]:
        """The facts of these days, both ends among them, by objective and day; of all objectives for None."""
        query = select(facts).where(facts.c.day >= first, facts.c.day <= last)
        if objectives is not None:
            query = query.where(facts.c.objective.in_(objectives))
        return [FactEntry(**row) for row in self._rows(query.order_by(facts.c.objective, facts.c.day))]

    def record_capacity(self, days: Sequence[ServiceDayEntry], values: Sequence[DayValueEntry]) -> None:
        """Write down what was used on a day, each in the place of the one of its service or subject and day."""
        with self._writing() as connection:
            _put(connection, service_days, days)
            _put(connection, day_values, values)

    def service_days_between(self, first: date, last: date) -> list[ServiceDayEntry]:
        """What services used on these days, both ends among them, by service and day."""
        query = select(service_days).where(service_days.c.day >= first, service_days.c.day <= last)
        rows = self._rows(query.order_by(service_days.c.service, service_days.c.day))
        return [ServiceDayEntry(**row) for row in rows]

    def day_values_between(
        self, first: date, last: date, measures: Collection[str] | None = None
    ) -> list[DayValueEntry]:
        """What these measures came to, by measure, subject and day; all of them for None."""
        query = select(day_values).where(day_values.c.day >= first, day_values.c.day <= last)
        if measures is not None:
            query = query.where(day_values.c.measure.in_(measures))
        rows = self._rows(query.order_by(day_values.c.measure, day_values.c.subject, day_values.c.day))
        return [DayValueEntry(**row) for row in rows]

    def settled_capacity_days(self, first: date, last: date) -> set[date]:
        """The days of which something was written down and nothing can still change."""
        query = select(service_days.c.day, service_days.c.final).where(
            service_days.c.day >= first, service_days.c.day <= last
        )
        settled: dict[date, bool] = {}
        for row in self._rows(query):
            settled[row["day"]] = settled.get(row["day"], True) and row["final"]
        return {day for day, final in settled.items() if final}

    def record_scaling(self, entry: ScalingEntry) -> ScalingEntry:
        """Write down a decision before it is carried out; returns it with its id."""
        with self._writing() as connection:
            row = without(asdict(entry), "id")
            number = connection.scalar(insert(scalings).values(row).returning(scalings.c.id))
        return replace(entry, id=int(number or 0))

    def conclude_scaling(self, number: int, outcome: str, note: str) -> None:
        """Write down what became of a decision."""
        with self._writing() as connection:
            connection.execute(update(scalings).where(scalings.c.id == number).values(outcome=outcome, note=note))

    def scalings_since(self, since: datetime, service: str | None = None) -> list[ScalingEntry]:
        """What was decided since then, the first first; of all services for None."""
        query = select(scalings).where(scalings.c.at >= since).order_by(scalings.c.id)
        if service is not None:
            query = query.where(scalings.c.service == service)
        return [ScalingEntry(**row) for row in self._rows(query)]

    def standing_scalings(self) -> dict[str, ScalingEntry]:
        """By service the last decision that was carried out, or is being so."""
        query = select(scalings).where(scalings.c.outcome.in_(("done", "under way"))).order_by(scalings.c.id)
        return {row["service"]: ScalingEntry(**row) for row in self._rows(query)}

    def record_baseline(self, entry: BaselineEntry) -> BaselineEntry:
        """Write down how the platform answered a load; returns it with its number."""
        with self._writing() as connection:
            row = without(asdict(entry), "number")
            number = connection.scalar(insert(baselines).values(row).returning(baselines.c.number))
        return replace(entry, number=int(number or 0))

    def known_baselines(self) -> list[BaselineEntry]:
        """Every baseline, the first first."""
        return [BaselineEntry(**row) for row in self._rows(select(baselines).order_by(baselines.c.number))]

    def known_questions(self) -> list[QuestionEntry]:
        """Everything that was ever asked for a fact, the first first."""
        query = select(questions).order_by(questions.c.first_asked_at, questions.c.question, questions.c.objective)
        return [QuestionEntry(**row) for row in self._rows(query)]

    def overrides_between(self, start: datetime, end: datetime) -> list[OverrideEntry]:
        """The gates that were overridden from `start` until before `end`, by time."""
        query = select(overrides).where(overrides.c.at >= start, overrides.c.at < end).order_by(overrides.c.at)
        return [OverrideEntry(**without(row)) for row in self._rows(query)]

    def events_between(self, start: datetime, end: datetime) -> list[EventEntry]:
        """The events of other programs that touch the time from `start` until before `end`, by time."""
        lasts = events.c.ended_at.is_(None) | (events.c.ended_at >= start)
        query = select(events).where(events.c.started_at < end, lasts).order_by(events.c.started_at, events.c.id)
        return [EventEntry(**row) for row in self._rows(query)]

    def known_lanes(self) -> list[str]:
        """The lanes of which an event was ever written down."""
        return [row["lane"] for row in self._rows(select(events.c.lane).distinct().order_by(events.c.lane))]

    def deployments_between(self, start: datetime, end: datetime) -> list[DeploymentEntry]:
        """What was rolled out from `start` until before `end`, by time."""
        query = select(deployments).where(deployments.c.finished_at >= start, deployments.c.finished_at < end)
        query = query.order_by(deployments.c.finished_at, deployments.c.id)
        return [DeploymentEntry(**without(row)) for row in self._rows(query)]

    def sets_between(self, start: datetime, end: datetime) -> list[SetEntry]:
        """The backup sets that were taken from `start` until before `end`, by time."""
        query = select(backup_sets).where(backup_sets.c.taken_at >= start, backup_sets.c.taken_at < end)
        return [SetEntry(**row) for row in self._rows(query.order_by(backup_sets.c.taken_at, backup_sets.c.id))]

    def record_notice(self, entry: NoticeEntry, first: NoticeUpdateEntry) -> int:
        """Write down a notice with the first thing that is said about it; returns its number."""
        row = without(_row(entry), "number")
        with self._writing() as connection:
            number = connection.scalar(insert(notices).values(row).returning(notices.c.number))
            connection.execute(insert(notice_updates), {**_row(first), "notice": number})
        return int(number or 0)

    def record_notice_update(self, update_entry: NoticeUpdateEntry, ends_at: datetime | None = None) -> None:
        """Write down what is said about a notice next, and when it ended, where it did."""
        with self._writing() as connection:
            connection.execute(insert(notice_updates), _row(update_entry))
            if ends_at is not None:
                connection.execute(
                    update(notices).where(notices.c.number == update_entry.notice).values(ends_at=ends_at)
                )

    def notices_since(self, since: datetime) -> list[tuple[NoticeEntry, list[NoticeUpdateEntry]]]:
        """The notices that had not ended at `since`, the newest first, each with what was said, the oldest first."""
        query = select(notices).where(notices.c.ends_at.is_(None) | (notices.c.ends_at >= since))
        found = [
            NoticeEntry(**row)
            for row in self._rows(query.order_by(notices.c.starts_at.desc(), notices.c.number.desc()))
        ]
        said: dict[int, list[NoticeUpdateEntry]] = {one.number: [] for one in found}
        query = select(notice_updates).where(notice_updates.c.notice.in_(said))
        for row in self._rows(query.order_by(notice_updates.c.at, notice_updates.c.id)):
            entry = NoticeUpdateEntry(**without(row))
            said[entry.notice].append(entry)
        return [(one, said[one.number]) for one in found]

    def record_window(self, entry: WindowEntry) -> int:
        """Write down a time in which nobody is told; returns its number."""
        row = without(asdict(entry), "number")
        with self._writing() as connection:
            return int(connection.scalar(insert(windows).values(row).returning(windows.c.number)) or 0)

    def end_window(self, number: int, at: datetime) -> None:
        """Write down that a window ends at `at`, where it would have lasted longer."""
        with self._writing() as connection:
            lasts = (windows.c.number == number) & (windows.c.ends_at > at)
            connection.execute(update(windows).where(lasts).values(ends_at=at))

    def windows_since(self, since: datetime) -> list[WindowEntry]:
        """The windows that have not ended at `since`, those to come among them, by their beginning."""
        query = select(windows).where(windows.c.ends_at > since).order_by(windows.c.starts_at, windows.c.number)
        return [WindowEntry(**row) for row in self._rows(query)]

    def find_window(self, number: int) -> WindowEntry | None:
        """The window of that number; None where there is none."""
        found = [WindowEntry(**row) for row in self._rows(select(windows).where(windows.c.number == number))]
        return found[0] if found else None

    def recent_deployments(self, limit: int) -> list[DeploymentEntry]:
        """The newest first."""
        query = select(deployments).order_by(deployments.c.finished_at.desc(), deployments.c.id.desc()).limit(limit)
        return [DeploymentEntry(**without(row)) for row in self._rows(query)]

    def recent_drifts(self, limit: int) -> list[DriftEntry]:
        """The newest first."""
        query = select(drifts).order_by(drifts.c.at.desc(), drifts.c.id.desc()).limit(limit)
        return [DriftEntry(**without(row)) for row in self._rows(query)]

    def recent_sets(self, limit: int) -> list[SetEntry]:
        """The newest sets first, those that were deleted among them."""
        query = select(backup_sets).order_by(backup_sets.c.taken_at.desc(), backup_sets.c.id.desc()).limit(limit)
        return [SetEntry(**row) for row in self._rows(query)]

    def recent_verifications(self, limit: int) -> list[VerificationEntry]:
        """The newest proofs first."""
        query = select(verifications).order_by(verifications.c.finished_at.desc()).limit(limit)
        return [VerificationEntry(**row) for row in self._rows(query)]

    def recent_restores(self, limit: int) -> list[Restore]:
        """The newest restores first."""
        query = select(restores).order_by(restores.c.started_at.desc(), restores.c.id.desc()).limit(limit)
        return [Restore(**without(row)) for row in self._rows(query)]

    def recent_prunes(self, limit: int) -> list[Prune]:
        """The newest prunes first."""
        query = select(prunes).order_by(prunes.c.at.desc(), prunes.c.id.desc()).limit(limit)
        return [Prune(**without(row)) for row in self._rows(query)]

    def rebuild_backups(
        self,
        store: str,
        found: Sequence[tuple[SetEntry, Sequence[VerificationEntry]]],
        present: Collection[str],
        now: datetime,
    ) -> None:
        """Make all that is known of a store's backups anew from what its manifests say, in one transaction.

        A set that the store no longer has keeps its row, marked as deleted; what was marked before stays as it was.

        Args:
            store: the id of the store; other stores' sets stay as they are.
            found: every set that can be read, with its proofs.
            present: ids of further sets that are there but cannot be relied on; their rows stay as they are.
            now: when what is missing was missed; timezone-aware.
        """
        there = {entry.id for entry, _ in found} | set(present)
        with self._writing() as connection:
            known = connection.scalars(
                select(backup_sets.c.id).where(backup_sets.c.store == store, backup_sets.c.deleted_at.is_(None))
            )
            _mark_deleted(connection, [one for one in known if one not in there], now)
            for one, _ in found:
                connection.execute(delete(verifications).where(verifications.c.set == one.id))
            _put(connection, backup_sets, [entry for entry, _ in found])
            _put(connection, verifications, [proof for _, proofs in found for proof in proofs])


def _mark_deleted(connection: Connection, ids: Sequence[str], at: datetime) -> None:
    for one in ids:
        connection.execute(
            update(backup_sets).where(backup_sets.c.id == one, backup_sets.c.deleted_at.is_(None)).values(deleted_at=at)
        )


def _put(connection: Connection, table: Table, entries: Sequence[_Keyed]) -> None:
    """Insert, or replace what has the same key; both databases spell it alike."""
    if not entries:
        return
    statement = _insert(connection, table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    statement = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)
    connection.execute(statement, [_row(entry) for entry in entries])


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    # The dialect that is not used would be a twentieth of a second of every command.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def _row(entry: _Keyed | _Numbered) -> dict[str, Any]:
    return asdict(entry)
