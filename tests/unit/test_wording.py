"""What a person is told: the same words from Prometheus and from us."""

from __future__ import annotations

import math

import pytest
from rulebooks import signal

from sutazai_ops.monitoring.signals import Unit
from sutazai_ops.monitoring.wording import as_template, fill_in, placeholders, show, show_level


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        # tests/docker/test_rules_in_prometheus.py has Prometheus itself write them.
        (0, Unit.SECONDS, "0s"),
        (1, Unit.SECONDS, "1s"),
        (60, Unit.SECONDS, "1m 0s"),
        (3600, Unit.SECONDS, "1h 0m 0s"),
        (86400, Unit.SECONDS, "1d 0h 0m 0s"),
        (86400 + 3600, Unit.SECONDS, "1d 1h 0m 0s"),
        (-(86400 * 2 + 3600 * 3 + 60 * 4 + 5), Unit.SECONDS, "-2d 3h 4m 5s"),
        (899.99, Unit.SECONDS, "14m 59s"),
        (0.1, Unit.SECONDS, "100ms"),
        (0.0001, Unit.SECONDS, "100us"),
        (0.12345, Unit.SECONDS, "123.5ms"),
        (60.1, Unit.SECONDS, "1m 0s"),
        (12.345678, Unit.SECONDS, "12.35s"),
        (math.inf, Unit.SECONDS, "+Inf"),
        (math.nan, Unit.COUNT, "NaN"),
        (0.1234567, Unit.RATIO, "12.35%"),
        (0, Unit.BYTES, "0B"),
        (1024, Unit.BYTES, "1kiB"),
        (1_435_065.4, Unit.BYTES, "1.369MiB"),
        (2.1000001, Unit.COUNT, "2.1"),
        (0.25, Unit.PER_SECOND, "0.25/s"),
    ],
)
def test_a_value_is_written_as_prometheus_writes_it(value: float, unit: Unit, shown: str) -> None:
    assert show(value, unit) == shown


def test_a_level_is_written_as_a_person_wrote_it() -> None:
    assert [show_level(93_600, Unit.SECONDS), show_level(0.2, Unit.SECONDS), show_level(0.8, Unit.RATIO)] == [
        "1d2h", "200ms", "80%",
    ]  # fmt: skip


def test_the_template_asks_for_what_we_fill_in() -> None:
    one, text = signal(labels=["service"], unit="ratio"), "{service} is at {value}, over {level}"
    assert as_template(text, one, 0.8) == ("{{ $labels.service }} is at {{ $value | humanizePercentage }}, over 80%")
    assert fill_in(text, one, {"service": "shop"}, 0.9, 0.8) == "shop is at 90%, over 80%"


def test_a_label_that_is_not_there_is_nothing() -> None:
    assert fill_in("[{service}]", signal(labels=["service"]), {}, 1, 1) == "[]"


@pytest.mark.parametrize("text", ["{value:.2f}", "{value!r}", "{{ $value }}", "{", "}"])
def test_braces_are_for_names_alone(text: str) -> None:
    with pytest.raises(ValueError, match=r"brace|\}|\{"):
        placeholders(text)
