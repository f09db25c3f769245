"""Several containers of one service, or none: what is meant, what is planned and what is drift."""

from __future__ import annotations

import pytest
from releases import container, platform, release, service

from sutazai_ops.deployment.drift import find_drift
from sutazai_ops.deployment.limits import memory_limits
from sutazai_ops.deployment.plan import make_plan
from sutazai_ops.deployment.selection import select
from sutazai_ops.engines import Act, Health, State
from sutazai_ops.engines.compose.engine import ComposeEngine
from sutazai_ops.errors import BadInput
from sutazai_ops.platform.copies import copies
from sutazai_ops.settings import Settings

LIMITS = {"limits": {"memory": "64M", "cpus": "0.5", "pids": 50}}
THREE = {"deploy": {"replicas": 3, "resources": LIMITS}}
FIRST, SECOND, THIRD = (container(id=str(number), name=f"shop-core-web-{number}") for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("definition", "number"),
    [({}, 1), ({"scale": 2}, 2), ({"deploy": {"replicas": "3"}}, 3), ({"deploy": None}, 1), ({"scale": 0}, 0)],
)
def test_the_number_is_that_of_scale_or_replicas(definition, number):
    assert copies(definition) == number


@pytest.mark.parametrize("said", ["many", -1, {}])
def test_what_is_no_number_is_refused(said):
    with pytest.raises(BadInput, match="no number of containers"):
        copies({"scale": said})


def plan_of(*containers):
    meant = release(service(definition=THREE))
    return make_plan(meant, meant, {"core": {"web": list(containers)}}).steps[0]


def test_as_many_as_are_meant_are_no_drift(tmp_path):
    running = {"core": {"web": [FIRST, SECOND, THIRD]}}
    assert plan_of(FIRST, SECOND, THIRD).act is Act.UNCHANGED
    assert find_drift(release(service(definition=THREE)), running, tmp_path) == []


def test_another_number_than_is_meant_is_put_right(tmp_path):
    step = plan_of(FIRST, SECOND)
    assert (step.act, step.why) == (Act.RUNTIME_DRIFT, "what runs was changed; containers 3 -> 2")
    (drift,) = find_drift(release(service(definition=THREE)), {"core": {"web": [FIRST, SECOND]}}, tmp_path)
    assert (drift.field, drift.meant, drift.found) == ("containers", "3", "2")


def test_each_of_several_is_looked_at(tmp_path):
    stopped = container(id="2", state=State.STOPPED, exit_code=1)
    assert plan_of(FIRST, stopped, THIRD).act is Act.START
    ill = container(id="3", health=Health.FAILED, memory=1024**2)
    running = {"core": {"web": [FIRST, stopped, ill]}}
    found = {drift.field for drift in find_drift(release(service(definition=THREE)), running, tmp_path)}
    assert found == {"state", "health", "memory limit"}


def test_each_of_several_has_its_limit_of_memory():
    assert memory_limits(release(service(definition=THREE))) == {"web": 3 * 64 * 1024**2}


def test_what_shall_not_run_at_all_is_left_out_and_keeps_nobody_from_running(tmp_path):
    text = "services:\n  off: {image: x, deploy: {replicas: 0}}\n  web: {image: x, depends_on: [off]}\n"
    known = platform(tmp_path, core=text)
    engine = ComposeEngine(Settings(home=tmp_path), known)
    chosen = select(known, phases=None, services=None, present=(), cannot_run=engine.cannot_run)
    assert (chosen.services, dict(chosen.left_out)) == ({"web"}, {"off": "its file says that none of it shall run"})
    named = select(known, phases=None, services=["web"], present=(), cannot_run=engine.cannot_run)
    assert named.services == {"web"}
