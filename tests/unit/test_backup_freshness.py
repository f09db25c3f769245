"""When Dagster shows a backup as stale: the deadline of the settings, held against real events in a real instance."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.freshness_evaluator import CronFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time

from sutazai_ops.backups.defs import defs
from sutazai_ops.orchestration import Operations
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import Settings

KEY = dg.AssetKey(["backups", "postgres"])
TAKEN = datetime(2026, 11, 23, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def node():
    settings = Settings()
    merged = dg.Definitions.merge(
        defs(settings, read_platform(settings.platform)), dg.Definitions(resources={"operations": Operations()})
    )
    return merged.resolve_asset_graph().get(KEY)


def state(node, taken: datetime | None, now: datetime) -> FreshnessState:
    with dg.DagsterInstance.ephemeral() as instance:
        if taken is not None:
            with freeze_time(taken):
                instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=KEY))
        with freeze_time(now):
            evaluator = CronFreshnessPolicyEvaluator()
            return asyncio.run(evaluator.evaluate_freshness(LoadingContextForTest(instance), node))


def test_a_backup_of_tonight_is_fresh_until_the_next_deadline(node):
    assert state(node, TAKEN, TAKEN.replace(hour=5, minute=1)) is FreshnessState.PASS
    assert state(node, TAKEN, TAKEN.replace(day=24, hour=4, minute=59)) is FreshnessState.PASS


def test_a_night_that_did_not_come_is_shown_at_its_deadline(node):
    assert state(node, TAKEN, TAKEN.replace(day=24, hour=5, minute=1)) is FreshnessState.FAIL


def test_what_was_never_backed_up_is_unknown_and_not_fresh(node):
    assert state(node, None, TAKEN) is FreshnessState.UNKNOWN
