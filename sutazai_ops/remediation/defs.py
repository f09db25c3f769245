"""All that Dagster sees of remediation: a sensor that looks and decides, the job that repairs, and what it came to.

    watch_incidents ──> repair_incident (one run a repair)
    remediation/incidents: how many there were, and how long it took to notice, to act, to repair

The sensor does what `sutazai-ops remediation watch` does, by the same guard and the same ledger; use one of the two. It
asks what is measured and probes nothing, and launches a run where a repair is due; the run looks again before it acts.
Its cursor holds what was decided last about each incident, so that a tick tells only what has changed. What comes and
goes, and monitoring that is blind, are incidents as any other; that the sensor itself is dead is seen by the exporter.
"""

import json
import warnings
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from sutazai_ops import human
from sutazai_ops.errors import OpsError
from sutazai_ops.orchestration import Operations, production_schedule, telling_dagster
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.remediation.observe import Judged, Watched

# Whenever Dagster binds resources it copies a sensor by an argument of which it then warns itself, at every start.
warnings.filterwarnings("ignore", r"Parameter `owners` of initializer `SensorDefinition", dg.BetaWarning)

AREA = "remediation"
TAGS = {"ops/area": AREA, "dagster/max_retries": "0"}
"""What disrupts is never tried again by whoever runs it: the guard decides whether there is a next time."""
MAX_RUNTIME = {"dagster/max_runtime": "3600"}
"""Longer than any rung with its grace."""
POOL = "repair"
JOB = "count_incidents"
LOOKS_BACK = timedelta(days=30)
EVERY_SECONDS = 3
"""Less than the five seconds of Dagster's loop of sensors: with five, a turn that comes a hair early is left out."""


class RepairConfig(dg.Config):
    """Which incident."""

    incident: int


@dg.op(pool=POOL, description="Does the rung that is due for an incident, if it still is; sees what came of it.")
def do_what_is_due(context: dg.OpExecutionContext, operations: Operations, config: RepairConfig) -> None:
    """Look again, act, see, and write down."""
    from sutazai_ops.remediation.observe import Watched
    from sutazai_ops.remediation.repair import carry_out, finish_dead

    with telling_dagster():
        watched = Watched.of(operations.open())
        for line in finish_dead(watched):
            context.log.warning("%s", line)
        said = carry_out(watched, config.incident, run=context.run_id)
    context.log.info("incident %s: %s", config.incident, said)


@dg.job(tags=TAGS | MAX_RUNTIME, executor_def=dg.in_process_executor)
def repair_incident() -> None:
    """Does the rung that is due for an incident; `sutazai-ops incidents show NUMBER` says what came of it."""
    do_what_is_due()


@dg.sensor(
    job=repair_incident,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Keeps the incidents, decides about each, tells people of those that need them, and launches a repair"
    " where one is due. Switch it on instead of `sutazai-ops remediation watch`.",
    tags=TAGS,
)
def watch_incidents(context: dg.SensorEvaluationContext, operations: Operations) -> dg.SensorResult:
    """One round; an error of what it asks is told, and changes nothing."""
    from sutazai_ops.remediation.escalation import escalate_all
    from sutazai_ops.remediation.follow import ACTING
    from sutazai_ops.remediation.heartbeat import beat
    from sutazai_ops.remediation.observe import Watched, observe
    from sutazai_ops.remediation.repair import dead_repairs
    from sutazai_ops.remediation.verdict import Kind, say

    try:
        watched = Watched.of(operations.open())
        found = observe(watched, datetime.now(UTC))
        beat(watched.here.settings)
    except OpsError as error:
        return dg.SensorResult(skip_reason=f"nothing was decided: {error.what}", cursor=context.cursor)
    before: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    now = {str(one.incident.number): say(one.verdict) for one in found.judged}
    requests = []
    for one in found.judged:
        if now[str(one.incident.number)] != before.get(str(one.incident.number)):
            context.log.info("incident %s, %s: %s", one.incident.number, one.incident.target, say(one.verdict))
        if found.mode in ACTING and one.verdict.kind is Kind.ACT:
            requests.append(_request(one, decided_at(watched, one)))
    if found.mode in ACTING and found.under_way:
        # Nothing else is due before it has been brought to its end, which whatever run comes next does first.
        requests += [
            _launch(f"dead:{one.id}", one.incident, one.target, one.rung)
            for one in dead_repairs(watched.here, found.at)
        ]
    for line in escalate_all(watched.here, found) if found.mode in ACTING else ():
        context.log.info("%s", line)
    cursor = json.dumps(now, sort_keys=True)
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    lasting = f"no repair is due for {human.count(len(now), 'open incident')}" if now else "nothing is broken"
    return dg.SensorResult(skip_reason=f"blind: {found.blind}" if found.blind else lasting, cursor=cursor)


def decided_at(watched: "Watched", one: "Judged") -> datetime:
    """When what is due became due: the same from tick to tick, and another when it is due anew."""
    last = watched.here.ledger.incidents.last_verdicts().get(one.incident.number)
    return last.at if last else one.incident.opened_at


def _request(one: "Judged", decided: datetime) -> dg.RunRequest:
    # Of an incident and an attempt there is one run. The moment tells an attempt that was found not to be due when its
    # run began from the same one that is due again later.
    key = f"{one.incident.number}:{one.verdict.facts['attempt']}:{decided:%Y%m%dT%H%M%S}"
    return _launch(key, one.incident.number, one.incident.target, one.verdict.rung)


def _launch(key: str, incident: int, target: str, rung: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=key,
        run_config=dg.RunConfig(ops={"do_what_is_due": RepairConfig(incident=incident)}),
        tags={"ops/service": target, "ops/incident": str(incident), "ops/rung": rung},
    )


@dg.asset(
    key=dg.AssetKey([AREA, "incidents"]),
    group_name=AREA,
    description="The incidents of the last thirty days: how many, how many were given to a person, and in the median"
    " how long it took to notice them, to act, and until they were whole.",
    kinds={"table"},
    owners=["team:operations"],
    tags={"ops/area": AREA},
)
def incidents(operations: Operations) -> dg.MaterializeResult[None]:
    """Count them in the ledger."""
    from sutazai_ops.remediation.tally import tally

    with telling_dagster():
        log, now = operations.open().ledger.incidents, datetime.now(UTC)
        found = tally(log.between(now - LOOKS_BACK, now), log.repairs_between(now - LOOKS_BACK, now))
    # What is not known is left out, so that no line is drawn through a nought that nobody measured.
    return dg.MaterializeResult(metadata={name: value for name, value in asdict(found).items() if value is not None})


def defs(settings: Settings) -> dg.Definitions:
    """The sensor, the jobs and the asset; asks no server."""
    job = dg.define_asset_job(
        JOB, selection=dg.AssetSelection.assets(incidents), description="Counts the incidents.", tags={"ops/area": AREA}
    )
    schedule = production_schedule(JOB, settings.remediation.tally_schedule, settings, "every morning")
    return dg.Definitions(
        assets=[incidents], jobs=[repair_incident, job], sensors=[watch_incidents], schedules=[schedule]
    )
