"""A complete report, made up: every kind of objective, every verdict, every state of a day, every lane.

For tests of whatever shows a report. Its figures agree with each other as far as a reader would notice, and no further:
what computes reports has tests of its own.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sutazai_ops.slo import report_model as m
from sutazai_ops.slo.verdict import Verdict

FIRST = date(2026, 10, 1)
DAYS = 31
START = datetime(2026, 10, 1, tzinfo=UTC)
INCIDENT = datetime(2026, 10, 13, 10, 12, tzinfo=UTC)


def sample_report() -> m.Report:
    """October 2026 of a made-up platform."""
    objectives = tuple(
        sorted(
            (answers(), up(), speed(), backups(), front_page(), agent_tasks(), chat(), search()),
            key=lambda one: (-list(Verdict).index(one.verdict), one.name),
        )
    )
    return m.Report(
        title="Objectives in October 2026",
        environment="production",
        source="the ledger of this installation",
        program="sutazai-ops 0.1.0",
        period=m.Period(kind=m.PeriodKind.MONTH, label="October 2026", start=FIRST, end=date(2026, 11, 1), ended=True),
        facts_as_of=datetime(2026, 11, 1, 2, 0, 7, tzinfo=UTC),
        sample=True,
        summary=m.Summary(
            verdict=Verdict.MISSED,
            sentence="2 of 8 objectives were missed: backend answered 99.703 % of requests where 99.9 % was promised,"
            " for the most part because it was down for 45 min on 13 October.",
            headlines=(
                m.Headline(label="missed", value="2 of 8", note="2 more cannot be told"),
                m.Headline(label="users had", value="99.81 %", note="the mean of 3 journeys by weight"),
                m.Headline(label="budget left", value="-197 %", note="of backend-answers, the least of all"),
                m.Headline(label="measured", value="99.72 %", note="119 min were not"),
            ),
            counted={
                verdict: count for verdict in Verdict if (count := sum(one.verdict is verdict for one in objectives))
            },
        ),
        platform=m.PlatformFigure(
            journeys=0.9981,
            known_weight=0.8,
            services=0.9988,
            verdict=Verdict.MISSED,
            sentence="Users had 99.81 % of what they came for; what asking an agent gave is not known.",
        ),
        journeys=(
            m.Journey(
                name="front-page",
                title="Opening the site",
                objective="front-page",
                weight=3,
                figure=0.9994,
                verdict=Verdict.MET,
            ),
            m.Journey(
                name="chat",
                title="Asking in the chat",
                objective="chat-answers",
                weight=1,
                figure=0.9942,
                verdict=Verdict.MISSED_LOW_COVERAGE,
            ),
            m.Journey(
                name="agent-task",
                title="Giving a task to an agent",
                objective="agent-tasks",
                weight=1,
                figure=None,
                verdict=Verdict.INSUFFICIENT,
            ),
        ),
        objectives=objectives,
        lanes=lanes(),
        remediation=m.RemediationCost(
            recorded=True,
            actions=3,
            succeeded=2,
            minutes=2.5,
            budget_share=0.058,
            sentence="3 restarts by itself, 2 of which mended it, cost 2.5 min, 6 % of the budget of backend-is-up.",
        ),
        unknown=(
            m.Unknown(
                what="Nothing was measured from 18 October 14:00 to 15:59.",
                start=datetime(2026, 10, 18, 14, tzinfo=UTC),
                end=datetime(2026, 10, 18, 15, 59, 30, tzinfo=UTC),
            ),
            m.Unknown(
                what="agent-tasks: 412 tasks were counted, and 1,000 are needed to tell 99.9 % from less.",
                objectives=("agent-tasks",),
            ),
        ),
        warnings=(
            m.Notice(
                text="PromQL warning: metric might not be a counter, name does not end in _total/_sum/_count/_bucket",
                objectives=("chat-answers",),
                days=(date(2026, 10, 4), date(2026, 10, 5)),
            ),
        ),
        methods=(
            m.Method(
                name="K",
                meaning="What users had",
                formula="1 - (bad + imputed) / (total + imputed)",
                source="docs/slo/what-the-figures-mean.md",
            ),
            m.Method(
                name="Wilson interval",
                meaning="Where the true share lies, at 95 %",
                formula="(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)",
                source="E. B. Wilson, JASA 22 (1927), 209-212",
            ),
        ),
    )


def lanes() -> tuple[m.Lane, ...]:
    """One lane of each kind; every one has something in it but the overrides, and nothing writes drills down."""
    at = INCIDENT
    events = {
        m.LaneKind.DEPLOYMENT: [
            m.Event(
                id="40",
                start=datetime(2026, 10, 6, 9, tzinfo=UTC),
                end=datetime(2026, 10, 6, 9, 4, tzinfo=UTC),
                title="release 40 of core",
                outcome="good",
                went_well=True,
                actor="anna",
                services=("backend", "frontend"),
            ),
            m.Event(
                id="41",
                start=at - timedelta(minutes=3),
                end=at,
                title="release 41 of core",
                outcome="failed",
                went_well=False,
                detail="backend: readiness says 503",
                actor="anna",
                services=("backend",),
                link="releases/41",
            ),
        ],
        m.LaneKind.ROLL_BACK: [
            m.Event(
                id="42",
                start=at + timedelta(minutes=43),
                end=at + timedelta(minutes=45),
                title="core back to release 40",
                outcome="good",
                went_well=True,
                actor="anna",
                services=("backend",),
                link="releases/42",
            ),
        ],
        m.LaneKind.INCIDENT: [
            m.Event(
                id="88",
                start=at + timedelta(minutes=1),
                end=at + timedelta(minutes=46),
                title="backend is down",
                outcome="resolved",
                went_well=True,
                services=("backend",),
                link="http://127.0.0.1:3000/runs/8f2c",
            ),
        ],
        m.LaneKind.REMEDIATION: [
            m.Event(
                id="7",
                start=at + timedelta(minutes=3),
                end=at + timedelta(minutes=4),
                title="restart of backend",
                outcome="failed",
                went_well=False,
                actor="playbook service-down",
                services=("backend",),
            ),
        ],
        m.LaneKind.BACKUP: [
            m.Event(
                id=f"2026-10-{day + 1:02d}",
                start=START + timedelta(days=day, hours=2),
                end=START + timedelta(days=day, hours=2, minutes=1),
                title="nightly backup",
                outcome="verified",
                went_well=True,
            )
            for day in range(DAYS)
        ],
        m.LaneKind.SILENCE: [
            m.Event(
                id="s-1",
                start=datetime(2026, 10, 20, 20, tzinfo=UTC),
                end=datetime(2026, 10, 20, 22, tzinfo=UTC),
                title="maintenance of the database",
                actor="ben",
                services=("postgres",),
            ),
        ],
        m.LaneKind.GAP: [
            m.Event(
                id="2026-10-18T14:00",
                start=datetime(2026, 10, 18, 14, tzinfo=UTC),
                end=datetime(2026, 10, 18, 15, 59, 30, tzinfo=UTC),
                title="nothing was measured",
            ),
        ],
        m.LaneKind.OVERRIDE: [],
        m.LaneKind.DRILL: [],
    }
    return tuple(
        m.Lane(
            kind=kind, title=kind.replace("-", " "), recorded=kind is not m.LaneKind.DRILL, events=tuple(events[kind])
        )
        for kind in m.LaneKind
    )


def answers() -> m.ObjectiveReport:
    """Requests, missed: a dead process at peak, and an evening of errors."""
    spent = {13: 2.21, 22: 0.61}
    return m.ObjectiveReport(
        name="backend-answers",
        title="backend answers requests",
        kind=m.ObjectiveKind.RATIO,
        service="backend",
        criticality="critical",
        description="Every request to the backend, by whoever made it",
        indicator="requests answered with another status than 5xx",
        owner="platform",
        runbook="https://example.org/runbooks/errors.md",
        target=0.999,
        verdict=Verdict.MISSED,
        figure=0.997_03,
        sentence="99.703 % of requests were answered where 99.9 % was promised: 45 min without an answer on 13 October"
        " alone spent 221 % of the budget.",
        figures=m.Figures(
            requests=0.999_53, probe=0.998_96, combined=0.997_03, coverage=0.9972, best=0.997_04, worst=0.994_2
        ),
        counts=m.Counts(
            good=10_229_840,
            bad=4_811,
            total=10_234_651,
            imputed=25_642,
            ok_minutes=44_476,
            down_minutes=45,
            measured_minutes=44_521,
            unmeasured_minutes=119,
            expected_minutes=44_640,
        ),
        budget=m.Budget(
            total_minutes=44.64,
            spent_minutes=132.6,
            left_minutes=-87.96,
            total_events=10_260.3,
            spent_events=30_453,
            left_events=-20_192.7,
            left_share=-1.97,
            burn_rate=2.97,
        ),
        rolling=m.Rolling(days=30, figure=0.996_98, verdict=Verdict.MISSED, budget_left_share=-2.02, coverage=0.9971),
        days=days(0.999, {13: 0.9366, 22: 0.9949}, spent, total=330_000),
        curve=curve(spent),
        dips=(
            m.Dip(
                start=INCIDENT,
                end=INCIDENT + timedelta(minutes=45),
                minutes=98.7,
                bad=120,
                imputed=25_642,
                down_minutes=45,
                budget_share=2.21,
                sentence="no answer for 45 min, 3 min after release 41 of core (failed)",
                event=m.EventReference(lane=m.LaneKind.DEPLOYMENT, id="41"),
                distance_seconds=180,
            ),
            m.Dip(
                start=datetime(2026, 10, 22, 18, tzinfo=UTC),
                end=datetime(2026, 10, 22, 20, tzinfo=UTC),
                minutes=27.2,
                bad=4_020,
                budget_share=0.61,
                sentence="2.0 % of requests failed for 2 h; no event was near",
            ),
        ),
        other_dips_share=0.15,
        questions=(
            question("requests, every 5 minutes", 'last_over_time(http_requests_total{job="backend"}[5m])'),
            question("probe, each minute", 'avg_over_time(sutazai_probe_state{service="backend",state="ok"}[1m])'),
        ),
    )


def up() -> m.ObjectiveReport:
    """A probe, missed by little."""
    spent = {13: 1.01}
    return m.ObjectiveReport(
        name="backend-is-up",
        title="backend is up",
        kind=m.ObjectiveKind.PROBE,
        service="backend",
        criticality="critical",
        indicator="probes that were answered",
        owner="platform",
        target=0.999,
        verdict=Verdict.MISSED,
        figure=0.998_99,
        sentence="It was up 99.899 % of the measured time where 99.9 % was promised; 45 min down on 13 October.",
        figures=m.Figures(probe=0.998_99, coverage=0.9972, best=0.999, worst=0.9963),
        counts=m.Counts(
            ok_minutes=44_476, down_minutes=45, measured_minutes=44_521, unmeasured_minutes=119, expected_minutes=44_640
        ),
        budget=m.Budget(total_minutes=44.64, spent_minutes=45, left_minutes=-0.36, left_share=-0.008, burn_rate=1.008),
        rolling=m.Rolling(days=30, figure=0.998_96, verdict=Verdict.MISSED, budget_left_share=-0.04, coverage=0.9971),
        days=days(0.999, {13: 0.968_75}, spent),
        curve=curve(spent),
        dips=(
            m.Dip(
                start=INCIDENT,
                end=INCIDENT + timedelta(minutes=45),
                minutes=45,
                down_minutes=45,
                budget_share=1.01,
                sentence="down for 45 min, 3 min after release 41 of core (failed)",
                event=m.EventReference(lane=m.LaneKind.DEPLOYMENT, id="41"),
                distance_seconds=180,
            ),
        ),
        questions=(
            question("probe, each minute", 'avg_over_time(sutazai_probe_state{service="backend",state="ok"}[1m])'),
        ),
    )


def speed() -> m.ObjectiveReport:
    """A latency, met."""
    return m.ObjectiveReport(
        name="backend-is-fast",
        title="backend is fast",
        kind=m.ObjectiveKind.LATENCY,
        service="backend",
        criticality="critical",
        indicator="answers within 200 ms",
        owner="platform",
        target=0.95,
        verdict=Verdict.MET,
        figure=0.9712,
        sentence="97.1 % of answers came within 200 ms where 95 % was promised.",
        figures=m.Figures(requests=0.9712, coverage=0.9972, best=0.9713, worst=0.9685),
        counts=m.Counts(
            good=9_939_893,
            bad=294_758,
            total=10_234_651,
            measured_minutes=44_521,
            unmeasured_minutes=119,
            expected_minutes=44_640,
        ),
        budget=m.Budget(
            total_minutes=2_232,
            spent_minutes=1_285.6,
            left_minutes=946.4,
            total_events=511_732,
            spent_events=294_758,
            left_events=216_974,
            left_share=0.424,
            burn_rate=0.576,
        ),
        rolling=m.Rolling(days=30, figure=0.971, verdict=Verdict.MET, budget_left_share=0.42, coverage=0.9971),
        days=days(0.95, {4: 0.93}, {4: 0.05}, total=330_000, p95=0.153),
        curve=curve({4: 0.05}),
        latency=m.Latency(threshold_seconds=0.2, share=0.9712, p95_seconds=0.153, p95_between=(0.1, 0.2)),
        questions=(
            question(
                "requests within 0.2 s, every 5 minutes",
                'last_over_time(http_request_duration_seconds_bucket{job="backend",le="0.2"}[5m])',
            ),
        ),
    )


def backups() -> m.ObjectiveReport:
    """A freshness, met with low coverage."""
    return m.ObjectiveReport(
        name="backup-is-fresh",
        title="a verified backup is younger than 36 h",
        kind=m.ObjectiveKind.FRESHNESS,
        indicator="minutes in which the newest verified backup was younger than 36 h",
        owner="platform",
        target=0.99,
        verdict=Verdict.MET_LOW_COVERAGE,
        figure=1.0,
        sentence="Always, as far as was measured; a tenth of the time was not.",
        figures=m.Figures(probe=1.0, coverage=0.91, low=0.9999, high=1.0, best=1.0, worst=0.91),
        counts=m.Counts(ok_minutes=40_622, measured_minutes=40_622, unmeasured_minutes=4_018, expected_minutes=44_640),
        budget=m.Budget(total_minutes=446.4, spent_minutes=0, left_minutes=446.4, left_share=1, burn_rate=0),
        rolling=m.Rolling(days=30, figure=1.0, verdict=Verdict.MET_LOW_COVERAGE, budget_left_share=1, coverage=0.91),
        days=days(0.99, {}, {}, unknown={8, 9}, partly={7}),
        curve=curve({}, unknown={8, 9}),
        questions=(question("age, each minute", "last_over_time(sutazai_backup_verified_age_seconds[1m])"),),
        unknown=("From 7 October 22:00 to 10 October 01:00 nobody measured it.",),
    )


def front_page() -> m.ObjectiveReport:
    """A probe through the way in, met, by the worst case only just."""
    return m.ObjectiveReport(
        name="front-page",
        title="the front page opens",
        kind=m.ObjectiveKind.PROBE,
        service="frontend",
        criticality="critical",
        indicator="probes through edge that were answered",
        owner="web",
        target=0.999,
        verdict=Verdict.MET,
        figure=0.9994,
        sentence="It opened 99.94 % of the measured time; 59 % of the budget is spent.",
        figures=m.Figures(probe=0.9994, coverage=0.9972, best=0.9994, worst=0.9967),
        counts=m.Counts(
            ok_minutes=44_494.5,
            down_minutes=26.5,
            measured_minutes=44_521,
            unmeasured_minutes=119,
            expected_minutes=44_640,
        ),
        budget=m.Budget(total_minutes=44.64, spent_minutes=26.5, left_minutes=18.14, left_share=0.406, burn_rate=0.594),
        rolling=m.Rolling(days=30, figure=0.9994, verdict=Verdict.MET, budget_left_share=0.4, coverage=0.9971),
        days=days(0.999, {6: 0.9826, 20: 0.9989}, {6: 0.56, 20: 0.034}),
        curve=curve({6: 0.56, 20: 0.034}),
        dips=(
            m.Dip(
                start=datetime(2026, 10, 6, 9, 1, tzinfo=UTC),
                end=datetime(2026, 10, 6, 9, 26, tzinfo=UTC),
                minutes=25,
                down_minutes=25,
                budget_share=0.56,
                sentence="down for 25 min, 1 min after release 40 of core (good)",
                event=m.EventReference(lane=m.LaneKind.DEPLOYMENT, id="40"),
                distance_seconds=60,
            ),
        ),
        other_dips_share=0.034,
        questions=(
            question("probe, each minute", 'avg_over_time(sutazai_probe_state{service="frontend",state="ok"}[1m])'),
        ),
    )


def chat() -> m.ObjectiveReport:
    """Missed for sure, although a good part of the month is not known."""
    return m.ObjectiveReport(
        name="chat-answers",
        title="the chat answers",
        kind=m.ObjectiveKind.RATIO,
        service="backend",
        criticality="high",
        indicator="requests to /chat answered with another status than 5xx",
        owner="ai",
        target=0.999,
        verdict=Verdict.MISSED_LOW_COVERAGE,
        figure=0.9942,
        sentence="99.42 % of questions were answered where 99.9 % was promised, and 4 % of the month was not measured.",
        first_day=date(2026, 10, 3),
        figures=m.Figures(
            requests=0.9961,
            probe=0.99896,
            combined=0.9942,
            coverage=0.96,
            low=0.9935,
            high=0.9948,
            best=0.9944,
            worst=0.954,
        ),
        counts=m.Counts(
            good=45_100,
            bad=177,
            total=45_277,
            imputed=86,
            ok_minutes=40_045,
            down_minutes=45,
            measured_minutes=40_090,
            unmeasured_minutes=1_670,
            expected_minutes=41_760,
        ),
        budget=m.Budget(
            total_minutes=41.76,
            spent_minutes=242.2,
            left_minutes=-200.44,
            total_events=45.36,
            spent_events=263,
            left_events=-217.64,
            left_share=-4.8,
            burn_rate=5.8,
        ),
        rolling=m.Rolling(
            days=30, figure=0.9942, verdict=Verdict.MISSED_LOW_COVERAGE, budget_left_share=-4.8, coverage=0.96
        ),
        days=days(
            0.999, {13: 0.955, 15: 0.98}, {13: 3.9, 15: 1.2}, total=1_500, before={1, 2}, unknown={27}, quiet={11, 25}
        ),
        curve=curve({13: 3.9, 15: 1.2}, unknown={1, 2, 27}),
        other_dips_share=5.8,
        questions=(question("requests, every 5 minutes", 'last_over_time(http_requests_total{endpoint="/chat"}[5m])'),),
        warnings=("The question was changed on 20 October; days before it were asked the old way.",),
    )


def agent_tasks() -> m.ObjectiveReport:
    """Too few events."""
    return m.ObjectiveReport(
        name="agent-tasks",
        title="agents finish tasks",
        kind=m.ObjectiveKind.RATIO,
        service="agent-coder",
        criticality="high",
        indicator="tasks that ended as done",
        owner="ai",
        target=0.999,
        verdict=Verdict.INSUFFICIENT,
        figure=0.9976,
        sentence="412 tasks were counted, 1 of which failed: too few to tell 99.9 % from less.",
        figures=m.Figures(
            requests=0.9976, combined=0.9976, coverage=0.9972, low=0.9864, high=0.9996, best=0.9976, worst=0.9948
        ),
        counts=m.Counts(
            good=411, bad=1, total=412, measured_minutes=44_521, unmeasured_minutes=119, expected_minutes=44_640
        ),
        budget=m.Budget(
            total_minutes=44.64,
            spent_minutes=108.4,
            left_minutes=-63.8,
            total_events=0.412,
            spent_events=1,
            left_events=-0.588,
            left_share=-1.43,
            burn_rate=2.43,
        ),
        rolling=m.Rolling(
            days=30, figure=0.9976, verdict=Verdict.INSUFFICIENT, budget_left_share=-1.43, coverage=0.9971
        ),
        days=days(0.999, {9: 0.929}, {9: 2.43}, total=13.3, quiet={4, 11, 18, 25}),
        curve=curve({9: 2.43}),
        questions=(question("tasks, every 5 minutes", "last_over_time(agent_tasks_total[5m])"),),
    )


def search() -> m.ObjectiveReport:
    """Never measured at all."""
    return m.ObjectiveReport(
        name="qdrant-is-up",
        title="qdrant is up",
        kind=m.ObjectiveKind.PROBE,
        service="qdrant",
        indicator="probes that were answered",
        owner="ai",
        target=0.99,
        verdict=Verdict.INSUFFICIENT,
        sentence="Nothing was measured in October 2026.",
        figures=m.Figures(coverage=0, best=1, worst=0),
        counts=m.Counts(unmeasured_minutes=44_640, expected_minutes=44_640),
        days=days(0.99, {}, {}, unknown=set(range(1, DAYS + 1))),
        questions=(
            question("probe, each minute", 'avg_over_time(sutazai_probe_state{service="qdrant",state="ok"}[1m])'),
        ),
        unknown=("Nothing was measured in October 2026.",),
    )


def days(
    target: float,
    low: dict[int, float],
    spent: dict[int, float],
    *,
    total: float = 0,
    p95: float | None = None,
    unknown: set[int] = frozenset(),
    partly: set[int] = frozenset(),
    quiet: set[int] = frozenset(),
    before: set[int] = frozenset(),
) -> tuple[m.Day, ...]:
    """The days of October by their number: `low` are figures below the target, `spent` shares of the budget."""
    found = []
    for number in range(1, DAYS + 1):
        if number in before or number in unknown:
            state = m.DayState.BEFORE if number in before else m.DayState.UNKNOWN
            found.append(m.Day(day=date(2026, 10, number), state=state, unmeasured_minutes=1440 * (number in unknown)))
            continue
        figure = low.get(number, 1 - (1 - target) / 9)
        state = m.DayState.MISSED if figure < target else m.DayState.PARTLY if number in partly else m.DayState.MET
        if number in quiet:
            found.append(m.Day(day=date(2026, 10, number), state=m.DayState.QUIET, coverage=1))
            continue
        found.append(
            m.Day(
                day=date(2026, 10, number),
                state=state,
                figure=figure,
                coverage=0.917 if number in (*partly, 18) else 1.0,
                good=total * figure,
                total=total,
                down_minutes=45 if number == 13 else 0,
                unmeasured_minutes=119 if number in (*partly, 18) else 0,
                budget_share=spent.get(number, 0.004),
                p95_seconds=None if p95 is None else p95 + 0.002 * (number % 7),
                warnings=("metric might not be a counter",) if number in {4, 5} and quiet else (),
            )
        )
    return tuple(found)


def curve(spent: dict[int, float], *, unknown: set[int] = frozenset()) -> m.Curve:
    """Hour by hour: what a day spends goes at ten o'clock, and little all the time."""
    left, points = 1.0, []
    for hour in range(DAYS * 24):
        day = hour // 24 + 1
        left -= 0.004 / 24 + (spent.get(day, 0) if hour % 24 == 10 else 0)
        gap = day in unknown or (day == 18 and hour % 24 in {14, 15})
        points.append(None if gap else round(left, 5))
    return m.Curve(start=START, step_seconds=3600, left_share=tuple(points))


def question(purpose: str, text: str) -> m.Question:
    """The same through the whole month."""
    return m.Question(purpose=purpose, text=text, first_day=FIRST, last_day=date(2026, 10, DAYS))
