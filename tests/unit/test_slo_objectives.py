"""What is promised, as files say it: what need not be said, what is laid over it, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM
from sutazai_ops.slo.objective import Alerts, Objective
from sutazai_ops.slo.objectives import read_objectives, read_objectives_file
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.selectors import edge_matcher, read_selector

if TYPE_CHECKING:
    from sutazai_ops.platform import Platform


@pytest.fixture(scope="module")
def platform() -> Platform:
    return read_platform(PACKAGED_PLATFORM)


def test_every_service_of_the_packaged_platform_has_an_objective_without_a_line(platform: Platform) -> None:
    found = read_objectives(platform)
    for service in platform:
        mine = found[f"{service.name}-is-up"]
        assert (mine.kind, mine.service, mine.owner) == (ObjectiveKind.PROBE, service.name, service.owner)
        assert service.name in (mine.up or "")


def test_a_service_is_promised_by_how_critical_it_is(platform: Platform) -> None:
    found = read_objectives(platform)
    assert found["postgres-is-up"].target == 0.999
    assert found["frontend-is-up"].target == 0.995
    assert found["postgres-is-up"].told is Alerts.PAGE
    assert {found[f"{s.name}-is-up"].told for s in platform if s.criticality == "normal"} == {Alerts.TICKET}


def test_the_journeys_and_what_is_critical_stop_deployments(platform: Platform) -> None:
    found = read_objectives(platform)
    assert {one.name for one in found.values() if one.journey} == {"front-page", "chat-answers", "agent-tasks"}
    assert found["agent-tasks"].gates
    assert found["backend-answers"].gates
    assert not found["frontend-is-up"].gates


def test_a_service_that_keeps_the_metric_contract_need_not_say_how_it_is_counted(platform: Platform) -> None:
    answers = read_objectives(platform)["backend-answers"]
    assert answers.total == 'http_requests_total{service="backend"}'
    assert answers.bad == 'http_requests_total{service="backend",status=~"5.."}'
    assert answers.unknown == 'sutazai_probe_state{service="backend",state="unknown"}'


def test_a_file_of_ones_own_is_laid_over_by_name_and_key(platform: Platform, tmp_path: Path) -> None:
    over = write(
        tmp_path,
        "backend-is-up: {target: 0.9995, owner: anna}\nfront-page: null\nis-up: {except: [edge]}\n"
        "mine: {kind: probe, up: 'up{job=\"mine\"}', target: 0.9, alerts: ticket}\n",
    )
    found = read_objectives(platform, over)
    assert (found["backend-is-up"].target, found["backend-is-up"].owner) == (0.9995, "anna")
    assert found["backend-is-up"].up == 'sutazai_probe_state{service="backend",state="ok"}'
    assert "front-page" not in found
    assert "edge-is-up" not in found
    assert found["mine"].title == "mine"


def test_a_file_alone_may_ask_a_prometheus_that_is_not_ours(tmp_path: Path) -> None:
    file = write(tmp_path, "shop: {kind: ratio, total: shop_orders_total, bad: shop_orders_failed_total, target: 0.99}")
    assert list(read_objectives_file(file)) == ["shop"]


RATIO = "kind: ratio, total: 'http_requests_total{service=\"backend\"}'"


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        # It could never alert.
        ("\n\na: {kind: probe, up: up, target: 0.9, alerts: page}", "could never alert", 3),
        ("a: {kind: probe, up: up, target: 0.6}", "write alerts: none", 1),
        # What cannot be asked.
        ("a: {kind: probe, up: upp, target: 0.99}", "which nobody exports", 1),
        ("a:\n  kind: probe\n  target: 0.99\n  up: 'rate(up[5m])'", "more than a selector", 4),
        ("a: {kind: probe, up: 'up{jobb=\"x\"}', target: 0.99}", "did you mean 'job'?", 1),
        ("a: {kind: probe, up: '{', target: 0.99}", "not PromQL", 1),
        ("a: {kind: probe, up: 'up offset 1h', target: 0.99}", "looks at another time", 1),
        ("a: {kind: probe, up: http_requests_total, target: 0.99}", "has to be a gauge", 1),
        ("a: {kind: ratio, total: up, bad: up, target: 0.99}", "has to be a counter", 1),
        ("a: {kind: latency, histogram: http_requests_total, within: 200ms, target: 0.95}", "nobody exports", 1),
        # An edge that the histogram lacks.
        ("a:\n  kind: latency\n  service: backend\n  target: 0.95\n  within: 250ms", "no bucket with that edge", 5),
        # A bad window.
        ("a: {kind: probe, up: up, target: 0.99, window: 36h}", "whole days", 1),
        ("a: {kind: probe, up: up, target: 0.99, window: 400d}", "whole days", 1),
        ("a: {kind: probe, up: up, target: 0.99, window: 30}", "write a time with its unit", 1),
        # A target that is none.
        ("a: {kind: probe, up: up, target: 99.9}", "write 0.999", 1),
        ("a: {kind: probe, up: up, target: 1}", "cannot be kept", 1),
        ("a: {kind: probe, up: up, target: 0}", "target of the objective a is wrong", 1),
        ("a: {kind: probe, up: up}", "has no target", 1),
        ("is-up: {target: {critical: 0.999}}", "says nothing of", 1),
        # A kind and its keys.
        ("a: {kind: speed, up: up, target: 0.99}", "kind of the objective a is wrong", 1),
        ("a: {kind: freshness, age: up, target: 0.99}", "needs within", 1),
        ("a: {kind: probe, up: up, age: up, target: 0.99}", "age means nothing for the kind probe", 1),
        (f"a: {{{RATIO}, target: 0.99}}", "needs one of good and bad", 1),
        (f"a: {{{RATIO}, good: http_requests_total, bad: http_requests_total, target: 0.9}}", "one of good and bad", 1),
        ("a: {kind: probe, up: up, target: 0.99, ownr: anna}", "did you mean 'owner'?", 1),
        ("a: {each: phase, kind: probe, target: 0.99}", "write each: service", 1),
        ("is-up: {except: [backnd]}", "did you mean 'backend'?", 1),
        ("nothing-is-up: null", "to take away", 1),
    ],
)  # fmt: skip
def test_what_could_never_be_measured_or_never_alert_is_refused_with_its_line(
    platform: Platform, tmp_path: Path, text: str, said: str, line: int
) -> None:
    over = write(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        read_objectives(platform, over)
    assert said in str(refused.value)
    assert refused.value.where.startswith(f"{over}:{line}"), refused.value.where


def test_metrics_of_ones_own_can_be_declared(platform: Platform, tmp_path: Path) -> None:
    over = write(
        tmp_path,
        "orders:\n"
        "  kind: latency\n"
        "  histogram: shop_seconds\n"
        "  within: 500ms\n"
        "  target: 0.95\n"
        "  metrics: {shop_seconds: {kind: histogram, labels: [shop], edges: [0.1, 0.5]}}\n",
    )
    assert read_objectives(platform, over)["orders"].within == 0.5


@pytest.mark.parametrize(
    "text", ["up", 'up{job="a"}', 'up{job=~"a|b",instance!="x",service!~"y.*"}', r'up{path="C:\\x \"y\""}']
)
def test_a_selector_is_written_as_it_was_read(text: str) -> None:
    assert str(read_selector(text)) == text


def test_an_edge_is_found_however_its_exporter_writes_it() -> None:
    assert str(edge_matcher(0.2)) == 'le="0.2"'
    assert str(edge_matcher(1)) == r'le=~"1|1\\.0"'


def test_an_objective_says_in_words_what_it_counts() -> None:
    fast = Objective(name="a", kind=ObjectiveKind.LATENCY, histogram="x", within="200ms", target=0.95)
    assert fast.indicator == "answers of x within 200 ms"


def write(folder: Path, text: str) -> Path:
    file = folder / "objectives.yaml"
    file.write_text(text, encoding="utf-8")
    return file
