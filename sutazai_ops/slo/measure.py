"""Asks a source about a day, and makes the day's facts of the answers.

Days are asked for one by one, never a month at once: a day touches a thirtieth of the samples, and a day that is over
need not be asked again. Of all that goes wrong here nothing makes a good minute: what was not answered is not
measured.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.slo.counting import count, key_of
from sutazai_ops.slo.day import STEPS, Measured, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES, DONORS_REACH, Fact, merged
from sutazai_ops.slo.questions import MINUTE, WINDOW, earlier, identity, peak, questions
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.source import Remembering, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from sutazai_ops.slo.counting import Counted, Key
    from sutazai_ops.slo.objective import Objective
    from sutazai_ops.slo.questions import Question, Questions
    from sutazai_ops.slo.source import Answer, Line, Source

DAY = timedelta(days=1)
DAY_SECONDS = 86_400
BEFORE_SECONDS = 6 * 3600
"""How far back a counter is looked for that was not read at midnight: Prometheus may have been down then."""
RESETS_AT_MOST = 40
"""A process that restarts more often in a day loses what it counted just before, five minutes of good requests each."""

Facts = dict[str, dict["date", Fact]]
"""By objective and day."""


def measure_days(
    objectives: Iterable[Objective],
    days: Sequence[date],
    source: Source,
    known: Mapping[str, Mapping[date, Fact]],
    now: datetime,
    done: Callable[[date, Sequence[Fact]], None] = lambda _day, _facts: None,
    unanswered: Callable[[Objective, OpsError], object] | None = None,
) -> Facts:
    """The facts of some days, the earliest first.

    What a dead hour would have brought is asked of other days' facts; a day that lacks some is made again at the end,
    out of what was measured already, when the later ones are there.

    Args:
        objectives: what to ask about.
        days: which; those that lie ahead are left out.
        source: whom to ask.
        known: facts that are there already; they are merged with, never worsened.
        now: aware.
        done: told of each day's facts, to keep them as soon as they are there.
        unanswered: told of an objective whose question was refused or took too long, of which the day then has no fact,
            while the others go on; where nobody is, that is raised.

    Raises:
        OpsError: where the source cannot be asked, or refuses a question. What `done` was told of stays.
    """
    all_facts: Facts = {name: dict(facts) for name, facts in known.items()}
    made: Facts = {}
    waiting: list[tuple[Objective, Measured]] = []
    ones = list(objectives)
    for day in sorted(day for day in days if day <= now.date()):
        asked = Remembering(source)
        fresh = []
        for objective in ones:
            try:
                measured = measure(objective, day, asked, now)
            except (BadInput, TimedOut) as error:
                if unanswered is None:
                    raise
                unanswered(objective, error)
                continue
            fact = _keep(objective, measured, all_facts, now)
            fresh.append(fact)
            if fact.lacking and len(days) > 1:
                waiting.append((objective, measured))
            made.setdefault(objective.name, {})[day] = fact
        done(day, fresh)
    again: dict[date, list[Fact]] = {}
    for objective, measured in waiting:
        fact = _keep(objective, measured, all_facts, now)
        made[objective.name][measured.day] = fact
        again.setdefault(measured.day, []).append(fact)
    for day, facts in again.items():
        done(day, facts)
    return made


def not_all_answered(silent: Mapping[str, OpsError]) -> OpsError:
    """What to say where some objectives had no answer, by their names."""
    name, first = next(iter(silent.items()))
    others = f", nor do {len(silent) - 1} others" if len(silent) > 1 else ""
    return OpsError(f"{name} has no facts of some days{others}: {first.what}", where=first.where)


def _keep(objective: Objective, measured: Measured, all_facts: Facts, now: datetime) -> Fact:
    mine = all_facts.setdefault(objective.name, {})
    others = [fact for day, fact in mine.items() if day != measured.day and abs(day - measured.day) <= DONORS_REACH]
    fact = make_fact(objective, identity(objective), measured, others, now)
    if measured.day in mine:
        fact = merged(mine[measured.day], fact)
    mine[measured.day] = fact
    return fact


def measure(objective: Objective, day: date, source: Source, now: datetime) -> Measured:
    """Ask about one day of one objective; raises as `measure_days`."""
    start = round(datetime.combine(day, time(), UTC).timestamp())
    passed = max(0, int(now.timestamp()) - start)
    # Counters are read by whole steps, since one that is under way would be counted by half; a minute has a share.
    elapsed = passed // WINDOW * (WINDOW // MINUTE) if objective.counts_events else -(-passed // MINUTE)
    elapsed = min(DAY_MINUTES, elapsed)
    asked = questions(objective)
    survey = _Survey(source, start, elapsed)
    if objective.kind is ObjectiveKind.FRESHNESS:
        measured = _freshness(objective, asked, survey)
    else:
        measured = Measured(day, elapsed)
        if asked.up:
            ok, probed = survey.probe(asked.up, asked.unknown, asked.stopped)
            measured = replace(measured, ok=ok, probed=probed)
    measured = replace(measured, day=day, elapsed=elapsed)
    if asked.total:
        measured = _counted(measured, asked, survey)
    return replace(measured, warnings=tuple(dict.fromkeys(survey.notices)))


def _freshness(objective: Objective, asked: Questions, survey: _Survey) -> Measured:
    assert asked.age is not None  # noqa: S101  (the kind has one)
    ages = survey.minutes(asked.age, max)
    limit = objective.within or 0
    return Measured(
        survey.day,
        survey.elapsed,
        ok=[float(age is not None and age <= limit) for age in ages],
        probed=[float(age is not None) for age in ages],
    )


def _counted(measured: Measured, asked: Questions, survey: _Survey) -> Measured:
    assert asked.total is not None  # noqa: S101  (see `measure`)
    total = survey.count(asked.total)
    good_counts = total.counts
    if asked.good:
        good_counts = survey.count(asked.good).counts
    elif asked.bad:
        bad = survey.count(asked.bad).counts
        good_counts = [all_ - failed for all_, failed in zip(total.counts, bad, strict=True)]
    good = [min(max(0.0, fine), all_) for fine, all_ in zip(good_counts, total.counts, strict=True)]
    if sum(abs(fine - found) for fine, found in zip(good, good_counts, strict=True)) > max(1, sum(total.counts) / 1000):
        survey.notices.append("more events were good or bad than there were in all: the selectors do not fit together")
    if asked.good and total.series and not any(good_counts) and sum(total.counts) > 0 and asked.buckets:
        survey.notices.append("the histogram has no bucket with the limit as its edge, so no answer counts as fast")
    scraped = survey.minutes(asked.scraped, max) if asked.scraped else None
    return replace(
        measured,
        scraped=[value or 0.0 for value in scraped] if scraped and any(v is not None for v in scraped) else None,
        total=total.counts,
        good=good,
        seen=total.seen,
        buckets=survey.buckets(asked.buckets) if asked.buckets else {},
    )


class _Survey:
    """One day's questions, and the warnings of their answers."""

    def __init__(self, source: Source, start: int, elapsed: int) -> None:
        self._source, self._start, self.elapsed = source, start, elapsed
        self.day = datetime.fromtimestamp(start, UTC).date()
        self._end = start + elapsed * 60
        self.notices: list[str] = []

    def minutes(self, question: Question, choose: Callable[[list[float]], float]) -> list[float | None]:
        """The answer for each minute, of several series the one that is chosen; None where there is none."""
        values: list[float | None] = [None] * DAY_MINUTES
        found: dict[int, list[float]] = {}
        step = question.step
        for line in self._over(question.text, self._start + step, step):
            for moment, value in line.points:
                found.setdefault(moment, []).append(value)
        for moment, several in found.items():
            last = (moment - self._start) // 60
            for minute in range(max(0, last - step // 60), min(last, DAY_MINUTES)):
                values[minute] = choose(several)
        return values

    def probe(
        self, up: Question, unknown: Question | None, stopped: Question | None
    ) -> tuple[list[float], list[float]]:
        """The share of each minute in which all checks were answered, and in which they were made."""
        answered = self.minutes(up, min)
        not_made = [missed or 0.0 for missed in self.minutes(unknown, max)] if unknown else [0.0] * DAY_MINUTES
        if stopped and any(not_made):
            # Nobody could be asked, and that is known to be why: users could not ask either.
            known = self.minutes(stopped, max)
            not_made = [missed - (down or 0.0) for missed, down in zip(not_made, known, strict=True)]
        probed = [
            0.0 if share is None else 1.0 - min(1.0, max(0.0, missed))
            for share, missed in zip(answered, not_made, strict=True)
        ]
        ok = [min(made, max(0.0, share or 0.0)) for share, made in zip(answered, probed, strict=True)]
        return ok, probed

    def count(self, question: Question) -> Counted:
        """What the counters counted in each step, asked for further where a reading is missing or began anew."""
        lines = self._over(question.text, self._start, WINDOW)
        before = self._before(question, lines)
        counted = count(lines, self._start, WINDOW, STEPS, before=before)
        if counted.resets:
            peaks = self._peaks(question, counted.resets)
            counted = count(lines, self._start, WINDOW, STEPS, before=before, peaks=peaks)
        if counted.unlikely:
            self.notices.append(
                f"{counted.unlikely} counters were new and high at once: what they had counted before is left out"
            )
        return counted

    def buckets(self, question: Question) -> dict[str, float]:
        """Answers at or below each edge."""
        if self.elapsed == 0:
            return {}
        answer = self._note(self._source.at(question.text.replace("[1d]", f"[{self.elapsed}m]"), self._end))
        return {line.labels.get("le", "+Inf"): max(0.0, line.points[-1][1]) for line in answer.lines if line.points}

    def _before(self, question: Question, lines: Sequence[Line]) -> dict[Key, float]:
        """Where counters stood that were not read at midnight, but were read later."""
        if all(line.points and line.points[0][0] <= self._start for line in lines):
            return {}
        answer = self._note(self._source.at(earlier(question, BEFORE_SECONDS), self._start))
        return {key_of(line.labels): line.points[-1][1] for line in answer.lines if line.points}

    def _peaks(self, question: Question, resets: Mapping[Key, Sequence[int]]) -> dict[tuple[Key, int], float]:
        steps = sorted({step for ones in resets.values() for step in ones})[:RESETS_AT_MOST]
        peaks: dict[tuple[Key, int], float] = {}
        for step in steps:
            answer = self._note(self._source.at(peak(question), self._start + step * WINDOW))
            peaks |= {(key_of(line.labels), step): line.points[-1][1] for line in answer.lines if line.points}
        return peaks

    def _over(self, text: str, start: int, step: int) -> Sequence[Line]:
        end = self._start + (self._end - self._start) // step * step
        if end < start:
            return ()
        return self._note(self._source.over(text, start, end, step)).lines

    def _note(self, answer: Answer) -> Answer:
        self.notices.extend(answer.notices)
        return answer
