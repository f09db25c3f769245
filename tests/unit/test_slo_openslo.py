"""Objectives as OpenSLO: read back as they were written, and from elsewhere only what can be told exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sutazai_ops.errors import BadInput
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM
from sutazai_ops.slo import openslo
from sutazai_ops.slo.objectives import read_objectives, read_objectives_file


def write(folder: Path, *documents: object) -> Path:
    file = folder / "openslo.yaml"
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return file


def slo(indicator: dict[str, object], **changes: object) -> dict[str, object]:
    spec = {
        "service": "shop",
        "indicator": {"metadata": {"name": "i"}, "spec": indicator},
        "timeWindow": [{"duration": "4w", "isRolling": True}],
        "budgetingMethod": "Occurrences",
        "objectives": [{"target": 0.99}],
        **changes,
    }
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "shop-slo", "displayName": "Shop"},
        "spec": spec,
    }


def metric(query: str) -> dict[str, object]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def test_every_packaged_objective_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    packaged = read_objectives(read_platform(PACKAGED_PLATFORM))
    file = tmp_path / "openslo.yaml"
    file.write_text(openslo.write(packaged.values()), encoding="utf-8")
    back = tmp_path / "objectives.yaml"
    back.write_text(openslo.to_entries(openslo.read(file)), encoding="utf-8")
    assert read_objectives_file(back) == packaged


def test_what_is_written_is_whole_by_itself(tmp_path: Path) -> None:
    packaged = read_objectives(read_platform(PACKAGED_PLATFORM))
    documents = {one["metadata"]["name"]: one for one in yaml.safe_load_all(openslo.write(packaged.values()))}
    fast = documents["backend-is-fast"]["spec"]
    assert fast["budgetingMethod"] == "Occurrences"
    assert 'le="0.2"' in fast["indicator"]["spec"]["ratioMetric"]["good"]["metricSource"]["spec"]["query"]
    up = documents["backend-is-up"]["spec"]
    assert up["budgetingMethod"] == "Timeslices"
    assert up["objectives"][0] | {"displayName": ""} == {
        "displayName": "", "op": "gte", "value": 1, "target": 0.999, "timeSliceTarget": 1.0, "timeSliceWindow": "1m",
    }  # fmt: skip


def test_a_ratio_of_rates_from_elsewhere_is_read(tmp_path: Path) -> None:
    indicator = {
        "ratioMetric": {
            "counter": True,
            "good": metric('sum(rate(orders_total{code!~"5.."}[{{.window}}]))'),
            "total": metric("sum(rate(orders_total[{{.window}}]))"),
        }
    }
    entry = openslo.read(write(tmp_path, slo(indicator)))["shop-slo"]
    assert entry == {
        "title": "Shop", "service": "shop", "window": "28d", "target": 0.99, "kind": "ratio", "total": "orders_total",
        "good": 'orders_total{code!~"5.."}',
    }  # fmt: skip


def test_a_latency_from_elsewhere_is_known_by_its_bucket(tmp_path: Path) -> None:
    indicator = {
        "ratioMetric": {
            "good": metric('sum(increase(shop_seconds_bucket{job="shop",le="0.5"}[5m]))'),
            "total": metric('sum(increase(shop_seconds_count{job="shop"}[5m]))'),
        }
    }
    entry = openslo.read(write(tmp_path, slo(indicator)))["shop-slo"]
    assert (entry["kind"], entry["histogram"], entry["within"]) == ("latency", 'shop_seconds{job="shop"}', "500ms")


def test_an_indicator_of_its_own_is_found_by_its_name(tmp_path: Path) -> None:
    sli = {"apiVersion": "openslo/v1", "kind": "SLI", "metadata": {"name": "up"},
           "spec": {"thresholdMetric": metric('min(probe_success{job="shop"})')}}  # fmt: skip
    one = slo({}, indicatorRef="up", objectives=[{"op": "gte", "value": 1, "targetPercent": 99.5}])
    del one["spec"]["indicator"]  # type: ignore[attr-defined]
    entry = openslo.read(write(tmp_path, sli, one))["shop-slo"]
    assert (entry["kind"], entry["up"], entry["target"]) == ("probe", 'probe_success{job="shop"}', 0.995)


def test_several_thresholds_are_several_objectives(tmp_path: Path) -> None:
    indicator = {"ratioMetric": {"bad": metric("rate(a_total[5m])"), "total": metric("rate(b_total[5m])")}}
    found = openslo.read(write(tmp_path, slo(indicator, objectives=[{"target": 0.9}, {"target": 0.99}])))
    assert [(name, entry["target"]) for name, entry in found.items()] == [("shop-slo-1", 0.9), ("shop-slo-2", 0.99)]


def test_a_file_after_the_specification_is_read_and_what_is_written_of_it_is_read_as_the_same(tmp_path: Path) -> None:
    mine = tmp_path / "objectives.yaml"
    mine.write_text(openslo.to_entries(openslo.read(Path(__file__).with_name("openslo_shop.yaml"))), encoding="utf-8")
    found = read_objectives_file(mine)
    assert {name: (str(one.kind), one.service, one.target, one.window_days) for name, one in found.items()} == {
        "checkout-speed-1": ("latency", "checkout", 0.9995, 28),
        "checkout-speed-2": ("latency", "checkout", 0.95, 28),
        "checkout-errors": ("ratio", "checkout", 0.999, 30),
        "checkout-up": ("probe", "checkout", 0.995, 30),
    }
    assert (found["checkout-speed-1"].histogram, found["checkout-speed-1"].within) == ("checkout_seconds", 0.5)
    assert (found["checkout-errors"].total, found["checkout-errors"].bad) == (
        "checkout_total", 'checkout_total{outcome="failed"}',
    )  # fmt: skip
    assert found["checkout-up"].up == 'probe_success{job="checkout"}'
    # And back: what we write of them is OpenSLO v1 again.
    theirs = tmp_path / "openslo.yaml"
    theirs.write_text(openslo.write(found.values()), encoding="utf-8")
    back = tmp_path / "back.yaml"
    back.write_text(openslo.to_entries(openslo.read(theirs)), encoding="utf-8")
    assert read_objectives_file(back) == found


def test_a_source_that_is_no_prometheus_is_refused_though_the_query_does_not_say_so(tmp_path: Path) -> None:
    source = {
        "apiVersion": "openslo/v1",
        "kind": "DataSource",
        "metadata": {"name": "dog"},
        "spec": {"type": "Datadog"},
    }
    referred = {"metricSource": {"metricSourceRef": "dog", "spec": {"query": "sum(a)"}}}
    with pytest.raises(BadInput, match="only queries of Prometheus"):
        openslo.read(write(tmp_path, {"apiVersion": "openslo/v1", **source}, slo({"thresholdMetric": referred})))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"apiVersion": "openslo/v1alpha", "kind": "SLO"}, "is not openslo/v1"),
        ("text", "is not openslo/v1"),
        ({"apiVersion": "openslo/v1", "kind": "Service", "metadata": {"name": "a"}}, "holds no SLO"),
        (slo({"ratioMetric": {"raw": metric("a"), "rawType": "success"}}), "cannot be added up"),
        (
            slo({"ratioMetric": {"good": metric("sum(rate(a[5m])) / 2"), "total": metric("sum(rate(a[5m]))")}}),
            "no rate of one counter",
        ),
        (slo({"thresholdMetric": metric("min(a)")}, objectives=[{"op": "lte", "value": -1, "target": 0.9}]), "neither"),
        (
            slo({"thresholdMetric": metric("rate(a[5m])")}, objectives=[{"op": "gte", "value": 1, "target": 0.9}]),
            "gauge",
        ),
        (slo({"thresholdMetric": {"metricSource": {"type": "Datadog"}}}), "only queries of Prometheus"),
        (slo({"thresholdMetric": metric("min(a)")}, objectives=[{"op": "gte", "value": 1}]), "neither target"),
        (
            slo(
                {"ratioMetric": {"good": metric("sum(rate(a[5m]))"), "total": metric("sum(rate(b[5m]))")}},
                budgetingMethod="RatioTimeslices",
            ),
            "slices of time",
        ),
        (
            slo(
                {"thresholdMetric": metric("min(a)")},
                objectives=[{"op": "gte", "value": 1, "target": 0.9, "timeSliceTarget": 0.95}],
            ),
            "bad in part",
        ),
        ({"apiVersion": "openslo/v1", "kind": "SLI", "spec": {}}, "SLI lacks 'metadata'"),
        (slo({"thresholdMetric": metric("min(a)")}, timeWindow=[{"duration": "1Q"}]), "window 1Q"),
    ],
)
def test_what_cannot_be_told_exactly_is_refused(tmp_path: Path, document: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        openslo.read(write(tmp_path, document))
