"""What things cost: prices that are refused, parts that add up, and a goal judged with its uncertainty."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from capacity_days import FIRST, MIB, day
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.capacity.accounts import day_uses
from sutazai_ops.capacity.cost import Costs, DayUse, Used, add_up, divide, each
from sutazai_ops.capacity.prices import HostPrice, Prices, TokenPrice, read_prices
from sutazai_ops.capacity.values import DayValue, Kind, Subject
from sutazai_ops.errors import BadInput

GIB = 1024 * MIB
EUROS = Prices(currency="EUR", host=HostPrice(per_hour=0.5))
GOOD = """\
currency: EUR
host:
  per_hour: 0.25 EUR
storage: {per_gigabyte_month: 0.05}
models:
  gpt:
    prompt_per_million: 1
    answer_per_million: 2
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "prices.yaml"
    file.write_text(text)
    return file


def refused(folder: Path, text: str) -> BadInput:
    with pytest.raises(BadInput) as found:
        read_prices(written(folder, text))
    return found.value


def test_prices_are_read_with_and_without_their_currency(tmp_path):
    prices = read_prices(written(tmp_path, GOOD))
    assert (prices.host.per_hour, prices.host.cpu_share, prices.models["gpt"].answer_per_million) == (0.25, 0.5, 2)
    assert prices.egress is None


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("  per_hour: 0.25 EUR\n", "  cpu_share: 0.4\n", 2, "the price host.per_hour is missing"),
        ("0.25 EUR", "-0.25", 3, "negative"),
        ("0.25 EUR", "0.25 USD", 3, "another currency"),
        ("0.05", "0.05 CHF", 4, "another currency"),
        ("0.25 EUR", "cheap", 3, "no amount"),
        ("per_hour", "per_huor", 3, "host.per_huor is no price"),
        ("    answer_per_million: 2\n", "", 6, "models.gpt.answer_per_million is missing"),
        ("currency: EUR", "currency: euros", 1, "currency cannot be taken"),
    ],
)
def test_a_price_that_is_wrong_is_refused_with_its_line(tmp_path, old, new, line, said):
    error = refused(tmp_path, GOOD.replace(old, new))
    assert said in error.what
    assert f"prices.yaml:{line}" in error.where


def test_prices_without_a_currency_are_refused(tmp_path):
    assert "names no currency" in refused(tmp_path, GOOD.replace("currency: EUR\n", "")).what


amounts = st.floats(min_value=0, max_value=1e9, allow_subnormal=False)
services = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(amounts, st.floats(0, 1e18, allow_subnormal=False)), min_size=1
)


@given(
    services,
    st.integers(min_value=0, max_value=24),
    st.floats(min_value=0.5, max_value=512),
    st.floats(min_value=1e9, max_value=1e13),
    st.floats(min_value=0, max_value=1000),
    st.floats(min_value=0, max_value=1),
)
def test_the_parts_add_up_to_the_price_of_the_host(used, hours, cpus, memory, price, split):
    use = DayUse(FIRST, hours, cpus, memory, {name: Used(*amounts) for name, amounts in used.items()})
    cost = divide(use, Prices(currency="EUR", host=HostPrice(per_hour=price, cpu_share=split)))
    assert sum(part.full for part in cost.parts.values()) == pytest.approx(cost.host, rel=1e-9, abs=1e-9)
    assert sum(part.own for part in cost.parts.values()) + cost.left_over == pytest.approx(
        cost.host, rel=1e-9, abs=1e-9
    )
    assert all(part.own >= 0 and part.left_over >= 0 for part in cost.parts.values())


def use(number: int = 0, requests: float = 10_000, **changes: object) -> DayUse:
    """A day of a host of 4 cores and 16 GiB on which two services used a quarter of both."""
    whole = 24 * 3600
    usual: dict[str, object] = {
        "services": {
            "backend": Used(0.5 * whole, 3 * GIB * whole),
            "ollama": Used(0.5 * whole, 1 * GIB * whole),
        },
        "requests": {"backend": requests, "frontend": requests / 2},
    }
    return DayUse(FIRST + timedelta(days=number), 24, 4, 16 * GIB, **{**usual, **changes})  # type: ignore[arg-type]


def costs(days: int = 10, **changes: object) -> Costs:
    return add_up([use(number, **changes) for number in range(days)], EUROS, ["ollama"])  # type: ignore[arg-type]


def test_who_uses_more_pays_more_and_what_nobody_used_is_shared():
    found = costs(1)
    # 12 EUR a day: the backend used 1/8 of the processors and 3/16 of the memory, ollama 1/8 and 1/16.
    assert found.services["backend"].own == pytest.approx(12 * (0.0625 + 0.09375))
    assert found.services["ollama"].own == pytest.approx(12 * (0.0625 + 0.03125))
    assert found.left_over == pytest.approx(12 * 0.75)
    assert found.services["backend"].full == pytest.approx(12 * 0.625)


def test_a_request_costs_everything_and_is_counted_once():
    found = costs()
    assert found.per_request is not None
    assert found.per_request.amount == pytest.approx(12 / 10_000)
    assert found.per_service_request["backend"].amount == pytest.approx(7.5 / 10_000)


def test_an_agent_is_its_own_service_or_a_share_of_the_one_that_counts_its_tasks():
    tasks = {("backend", "planner"): 100.0, ("backend", "coder"): 100.0, ("backend", "ollama"): 50.0}
    seconds = {("backend", "planner"): 300.0, ("backend", "coder"): 100.0}
    found = costs(7, tasks=tasks, task_seconds=seconds)
    assert found.agents["ollama"] == pytest.approx(7 * 4.5)
    assert found.agents["planner"] == pytest.approx(7 * 7.5 * 0.75)
    assert found.per_task["coder"].amount == pytest.approx(7.5 * 0.25 / 100)


def test_a_model_costs_its_share_of_what_runs_it_or_its_tokens():
    prices = Prices(
        currency="EUR",
        host=HostPrice(per_hour=0.5),
        models={"gpt": TokenPrice(prompt_per_million=1, answer_per_million=10)},
    )
    one = use(
        model_seconds={"llama": 30, "nomic": 10, "gpt": 99}, tokens={("gpt", "prompt"): 1e6, ("gpt", "answer"): 2e5}
    )
    found = add_up([one], prices, ["ollama"])
    assert found.models == {
        "gpt": pytest.approx(3),
        "llama": pytest.approx(4.5 * 0.75),
        "nomic": pytest.approx(4.5 / 4),
    }
    assert found.total == pytest.approx(12 + 3)


def test_storage_and_traffic_are_beside_the_host(tmp_path):
    prices = read_prices(written(tmp_path, GOOD + "egress: {per_gigabyte: 0.1}\n"))
    found = divide(use(stored=100e9, sent=5e9), prices)
    assert found.storage == pytest.approx(100 * 0.05 * 24 / 730.5)
    assert found.egress == pytest.approx(0.5)


def test_no_request_has_no_cost():
    assert costs(requests=0).per_request is None
    assert each([], []) is None


def test_the_interval_of_a_cost_opens_with_how_much_days_differ():
    steady = each([12.0] * 10, [1000.0] * 10)
    uneven = each([12.0] * 10, [500.0, 1500.0] * 5)
    assert steady is not None
    assert uneven is not None
    assert steady.low == pytest.approx(0.012)
    assert uneven.low < 0.012 < uneven.high
    few = each([12.0] * 6, [1000.0] * 6)
    assert few is not None
    assert (few.low, few.high) == (None, None)


def test_the_interval_holds_the_true_cost_as_often_as_it_says():
    inside = 0
    for seed in range(300):
        chance = random.Random(seed)
        counts = [chance.gauss(1000, 150) for _ in range(20)]
        found = each([5 + 0.007 * count + chance.gauss(0, 0.5) for count in counts], counts)
        assert found is not None
        inside += found.low <= 0.012 <= found.high  # type: ignore[operator]
    assert inside / 300 >= 0.92


def value(measure: str, level: float | None, subject: Subject = (), hours: int = 24) -> DayValue:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    known = [level] * hours + [None] * (24 - hours)
    return DayValue(
        measure, subject, FIRST, Kind.COUNT if measure == "requests" else Kind.LEVEL, "q", known, level, now
    )


def test_facts_become_what_a_day_is_divided_by():
    given_ = [
        value("host_memory_size", 16 * GIB),
        value("host_cpu_size", 4),
        value("requests", 10, (("service", "web"),)),
    ]
    facts = {("web", FIRST): day(), ("db", FIRST): day(service="db", memory=[None] * 288)}
    (found,) = day_uses(facts, {(one.measure, one.subject, one.day): one for one in given_})
    assert (found.hours, found.cpus, found.requests) == (24, 4, {"web": 240})
    assert found.services == {"web": Used(pytest.approx(0.2 * 86_400), pytest.approx(300 * MIB * 86_400))}


def test_a_day_on_which_the_host_was_not_measured_is_neither_paid_nor_counted():
    given_ = [value("requests", 10, (("service", "web"),)), value("host_cpu_size", None)]
    assert day_uses({("web", FIRST): day()}, {(one.measure, one.subject, one.day): one for one in given_}) == []


def test_the_example_in_the_docs_can_be_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "capacity" / "what-a-request-costs.md").read_text(encoding="utf-8")
    prices = read_prices(written(tmp_path, page.split("```yaml\n")[1].split("```")[0]))
    assert (prices.currency, prices.host.per_hour) == ("USD", 0.21)
