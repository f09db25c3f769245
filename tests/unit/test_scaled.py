"""What is meant after a decision to scale: kept by releases that say the same number, over once a file says another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.deployment.drift import Kind, find_drift
from sutazai_ops.deployment.limits import memory_limits
from sutazai_ops.deployment.release import Release, ReleasedPhase, ReleasedService
from sutazai_ops.deployment.scaled import explain, meant_copies, scaled
from sutazai_ops.deployment.scaling import why_not
from sutazai_ops.engines import Container, Health, State
from sutazai_ops.errors import BadInput
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import ScalingEntry, open_ledger
from sutazai_ops.ledger_glance import FILE, is_empty
from sutazai_ops.platform import read_platform
from sutazai_ops.platform.model import Service
from sutazai_ops.settings import Loaded, Settings

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def release(said: int = 1) -> Release:
    definition = {"image": "agent:1", "scale": said, "mem_limit": "64m"}
    service = ReleasedService(name="agent", phase="core", spec="s", release=1, definition=definition)
    return Release(number=1, phases={"core": ReleasedPhase(project="p", top={})}, services={"agent": service})


def decision(released: int, after: int, **fields) -> ScalingEntry:
    return ScalingEntry(AT, "agent", "up", released, released, after, "a test", "test", **fields)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9))
def test_a_decision_holds_exactly_while_the_release_says_what_it_said_then(says, said, after):
    others = scaled(release(says), {"agent": decision(said, after)})
    assert meant_copies(release(says).services["agent"], others) == (after if says == said else says)


def test_a_plan_says_what_becomes_of_a_decision():
    kept, over = (list(explain(release(says), {"agent": decision(1, 3)})) for says in (1, 2))
    assert kept == ["agent keeps the 3 containers that were decided at 2026-11-26 12:00 UTC; its file says 1"]
    assert over == [
        "agent goes by its file again, which now says 2 containers, and no longer by the 3, decided when it said 1"
    ]
    assert list(explain(release(), {"agent": decision(1, 1)})) == []


@pytest.mark.parametrize(("count", "drifts"), [(3, []), (1, [("3", "1")]), (4, [("3", "4")])])
def test_what_was_decided_is_no_drift_and_anything_else_is(tmp_path, count, drifts):
    made = [
        Container(f"id-{n}", f"agent-{n}", "p", State.RUNNING, Health.OK, "agent:1", "sha256:1", spec="s",
                  memory=64 * 2**20, networks=frozenset({"p_default"}))
        for n in range(count)
    ]  # fmt: skip
    found = find_drift(release(), {"core": {"agent": made}}, tmp_path, others={"agent": 3})
    assert [(one.meant, one.found) for one in found if one.kind is Kind.COPIES] == drifts


def test_every_copy_counts_against_the_memory_of_the_host():
    assert memory_limits(release(), {"agent": 3}) == {"agent": 3 * 64 * 2**20}


def test_only_what_is_carried_out_stands(tmp_path):
    ledger = open_ledger(Settings(home=tmp_path))
    first = ledger.record_scaling(decision(1, 2))
    assert ledger.standing_scalings()["agent"].after == 2
    ledger.conclude_scaling(first.id, "done", "")
    failed = ledger.record_scaling(decision(1, 3))
    ledger.conclude_scaling(failed.id, "failed", "no memory")
    ledger.record_scaling(decision(1, 4, outcome="only said"))
    assert ledger.standing_scalings()["agent"].after == 2
    assert [one.outcome for one in ledger.scalings_since(AT)] == ["done", "failed", "only said"]


def test_the_ledger_is_opened_only_where_something_was_scaled(tmp_path):
    """Opening it was a third of what `status` took."""
    settings = Settings(home=tmp_path)
    assert Installation(Loaded(settings=settings, origins={})).standing_scalings() == {}
    assert not (tmp_path / FILE).exists()
    ledger = open_ledger(settings)
    assert is_empty(settings, "scalings")
    ledger.record_scaling(decision(1, 2))
    assert not is_empty(settings, "scalings")
    assert Installation(Loaded(settings=settings, origins={})).standing_scalings()["agent"].after == 2


def test_what_only_the_ledger_itself_can_tell_is_never_taken_for_empty(tmp_path):
    (tmp_path / FILE).write_bytes(b"no database at all")
    assert not is_empty(Settings(home=tmp_path), "scalings")
    assert not is_empty(Settings(home=tmp_path / "other", ledger="postgresql://ops@127.0.0.1/ops"), "scalings")


@pytest.mark.parametrize(
    ("fields", "definition", "why"),
    [
        ({}, {}, ""),
        ({"tier": "stateful"}, {}, "it holds state, and two of it would write to the same data"),
        ({"behind": {"proxy": "edge", "port": 80}}, {}, "edge sends its requests to one"),
        ({}, {"container_name": "x"}, "its container has a fixed name"),
        ({}, {"ports": ["8080:80"]}, "a port of the host can be published by one only"),
    ],
)
def test_who_can_have_a_second_container(tmp_path, fields, definition, why):
    service = Service(name="agent", phase="core", file=tmp_path / "core.yaml", **fields)
    assert why_not(service, definition) == why


QUEUE = "services:\n  q: {image: redis:7, x-sutazai: {queues: [{name: jobs, key: jobs, kind: KIND}]}}\n"
WORKER = "  w: {image: w:1, x-sutazai: {ADDITION}}\n"


CACHED = """
services:
  q:
    image: redis:7
    x-sutazai:
      queues: [{name: jobs, key: "w:jobs"}]
      caches: [CACHE]
  w: {image: w:1, x-sutazai: {takes: {queue: jobs, in_hand: "w:hand:{container}"}}}
"""


@pytest.mark.parametrize(
    ("cache", "words"),
    [
        ('"w:*"', "the cache w:* of q holds the queue jobs, which must not be lost"),
        ('"w:jobs*"', "the cache w:jobs* of q holds the queue jobs"),
        ('"w:jobs:dead*"', "the cache w:jobs:dead* of q holds the queue jobs"),
        ('"w:hand:4*"', "the cache w:hand:4* of q holds the queue jobs"),
        ('"*"', "keys"),
        ('"page:*:old*"', "keys"),
        ('"page"', "keys"),
    ],
)
def test_a_cache_that_holds_what_must_not_be_lost_is_refused_with_its_line(tmp_path, cache, words):
    (tmp_path / "core.yaml").write_text(CACHED.replace("CACHE", cache))
    with pytest.raises(BadInput) as refused:
        read_platform(tmp_path)
    assert words in refused.value.what
    assert "core.yaml:7" in refused.value.where


@pytest.mark.parametrize("cache", ['"page:*"', '"w:jobs:page:*"', '{keys: "w:*", database: 1}'])
def test_a_cache_beside_what_must_not_be_lost_is_taken(tmp_path, cache):
    (tmp_path / "core.yaml").write_text(CACHED.replace("CACHE", cache))
    assert len(read_platform(tmp_path).service("q").caches) == 1


@pytest.mark.parametrize(
    ("addition", "kind", "words"),
    [
        ("takes: {queue: jobz}", "list", "w takes from the queue 'jobz', which no service holds"),
        ('takes: {queue: jobs, in_hand: "w:{container}"}', "stream", "the queue jobs is a stream"),
        ("takes: {queue: jobs, in_hand: working}", "list", "say where the container's name stands in it"),
        ("tier: stateful, placement: {capacity: cheap}", "list", "w is stateful, and may not be placed on hosts"),
        ("criticality: critical, placement: {capacity: cheap}", "list", "w is critical, and may not be placed"),
    ],
)
def test_a_worker_that_is_described_wrongly_is_refused_with_its_line(tmp_path, addition, kind, words):
    text = QUEUE.replace("KIND", kind) + WORKER.replace("ADDITION", addition)
    (tmp_path / "core.yaml").write_text(text)
    with pytest.raises(BadInput) as refused:
        read_platform(tmp_path)
    assert words in refused.value.what
    assert "core.yaml:3" in refused.value.where
