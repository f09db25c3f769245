"""Who is told of alerts, and what stays silent because of something else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sutazai_ops.monitoring.additions import open_to_others, secret_files
from sutazai_ops.monitoring.alertmanager import (
    DOWN,
    WATCHDOG,
    alertmanager_file,
    duration,
    standing_on,
    who_is_not_told,
)
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.platform import Platform, read_platform
from sutazai_ops.settings import AlertSettings, MonitoringSettings, Receiver

CHAIN = """
services:
  database: {image: postgres:16}
  api: {image: registry.example/api:1, depends_on: [database]}
  pages: {image: registry.example/pages:1, depends_on: [api]}
  apart: {image: registry.example/apart:1}
"""
WEBHOOK = Receiver(kind="webhook", url_file=Path("/etc/sutazai/hook"))
CHAT = Receiver(kind="slack", url_file=Path("/etc/sutazai/chat"), severities=("page",))
MAIL = Receiver(
    kind="mail", to="ops@example.com", sender="a@example.com", smarthost="mail.example:587", user="alerts",
    password_file=Path("/etc/sutazai/mail"), severities=("ticket",),
)  # fmt: skip
EVERYBODY = AlertSettings(
    receivers={"hook": WEBHOOK, "chat": CHAT, "mail": MAIL}, watchdog_url_file=Path("/etc/sutazai/outside")
)

RULEBOOK = read_rulebook(MonitoringSettings())


@pytest.fixture
def chain(tmp_path: Path) -> Platform:
    (tmp_path / "core.yaml").write_text(CHAIN)
    return read_platform(tmp_path)


def config(platform: Platform, alerts: AlertSettings) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(alertmanager_file(platform, alerts, RULEBOOK))
    return content


def standing(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules that follow from what stands on what."""
    return [rule for rule in content["inhibit_rules"] if "service=" in rule["source_matchers"][-1]]


def test_what_stands_on_a_service_is_known_through_others_too(chain):
    assert standing_on(chain) == {"database": ["api", "pages"], "api": ["pages"]}


def test_a_service_that_is_down_silences_what_stands_on_it_and_nothing_else(chain):
    rules = standing(config(chain, EVERYBODY))
    assert rules[0] == {
        "source_matchers": ['alertname="service_down"', 'service="database"'],
        "target_matchers": ['service=~"api|pages"'],
    }
    assert not [rule for rule in rules if "apart" in str(rule)]


def test_what_says_nothing_new_is_silent_for_the_same_service_or_everywhere_where_the_cause_is_of_no_service(chain):
    rules = {rule["source_matchers"][0]: rule for rule in config(chain, EVERYBODY)["inhibit_rules"]}
    engine = rules['alertname="engine_blind"']
    assert "service_unknown" in engine["target_matchers"][0]
    assert "equal" not in engine
    (down,) = [
        rule
        for rule in config(chain, EVERYBODY)["inhibit_rules"]
        if rule["source_matchers"] == ['alertname="service_down"']
    ]
    assert down["equal"] == ["service"]


def inhibited(rule: dict[str, Any], source: str, beside: str, target: str, service: str) -> bool:
    """What Alertmanager makes of a rule: labels that are missing are equal to empty ones."""
    [matcher], (name, operator, wanted) = rule["target_matchers"], _parts(rule["target_matchers"][0])
    assert name == "alertname", matcher
    is_target = target != wanted if operator == "!=" else target in wanted.split("|")
    is_equal = service == beside if rule.get("equal") == ["service"] else True
    return rule["source_matchers"] == [f'alertname="{source}"'] and is_target and is_equal


def _parts(matcher: str) -> tuple[str, str, str]:
    found = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher)
    assert found
    return found[1], found[2], found[3]


def test_alertmanager_holds_back_what_we_hold_back_ourselves(chain: Platform):
    rules = [rule for rule in config(chain, EVERYBODY)["inhibit_rules"] if len(rule["source_matchers"]) == 1]
    for source in RULEBOOK.thresholds.values():
        beside = "api" if "service" in RULEBOOK.signal_of(source).labels else ""
        for target in RULEBOOK.thresholds:
            for service in ("", "api", "pages"):
                theirs = any(inhibited(rule, source.name, beside, target, service) for rule in rules)
                assert source.silences(target, service, beside=beside) == theirs, (source.name, target, service)


def test_the_alerts_that_routes_and_inhibition_name_are_thresholds():
    assert {DOWN, WATCHDOG} <= RULEBOOK.thresholds.keys()


def test_alerts_of_one_service_are_one_message(chain):
    assert config(chain, EVERYBODY)["route"]["group_by"] == ["service"]


def test_each_receiver_gets_the_severities_that_it_is_there_for_and_the_next_one_is_asked_too(chain):
    routes = {one["receiver"]: one for one in config(chain, EVERYBODY)["route"]["routes"]}
    assert "matchers" not in routes["hook"]
    assert routes["chat"]["matchers"] == ['severity=~"page"']
    assert routes["mail"]["matchers"] == ['severity=~"ticket"']
    assert all(routes[name]["continue"] for name in ("hook", "chat", "mail"))


def test_the_watchdog_goes_outside_alone_and_every_minute(chain):
    first = config(chain, EVERYBODY)["route"]["routes"][0]
    assert first["matchers"] == ['alertname="watchdog"']
    assert (first["receiver"], first["group_interval"], first["repeat_interval"]) == ("(outside)", "30s", "45s")
    assert "continue" not in first


def test_no_secret_and_no_path_of_this_host_stands_in_the_configuration(chain):
    text = alertmanager_file(chain, EVERYBODY, RULEBOOK)
    assert "/etc/sutazai" not in text
    assert {part for part in text.split() if part.startswith("/run/secrets")} == {
        "/run/secrets/alerts-to-hook",
        "/run/secrets/alerts-to-chat",
        "/run/secrets/alerts-to-mail",
        "/run/secrets/alerts-outside",
    }
    assert secret_files(EVERYBODY)["alerts-to-mail"] == Path("/etc/sutazai/mail")


def test_a_receiver_called_outside_does_not_get_the_watchdogs_address(chain):
    alerts = AlertSettings(receivers={"outside": WEBHOOK}, watchdog_url_file=Path("/etc/sutazai/outside"))
    assert len(secret_files(alerts)) == 2


def test_an_address_that_others_may_read_is_told(tmp_path):
    ours, open_ = tmp_path / "ours", tmp_path / "open"
    for file, mode in ((ours, 0o600), (open_, 0o644)):
        file.write_text("https://chat.example.com/secret")
        file.chmod(mode)

    def to(file: Path) -> AlertSettings:
        return AlertSettings(receivers={"chat": CHAT.model_copy(update={"url_file": file})})

    assert open_to_others(to(open_)) == [f"others may read {open_}: chmod 600 '{open_}'"]
    assert open_to_others(to(ours)) == []
    assert open_to_others(to(tmp_path / "none")) == []
    assert open_to_others(AlertSettings(watchdog_url_file=open_)) == open_to_others(to(open_))


def test_where_nobody_is_told_the_configuration_says_nobody_and_a_finding_says_so(chain):
    content = config(chain, AlertSettings())
    assert content["receivers"] == [{"name": "(nobody)"}]
    assert content["route"]["receiver"] == "(nobody)"
    assert who_is_not_told(AlertSettings())[0].startswith("nobody is told of alerts")
    assert who_is_not_told(EVERYBODY) == []
    assert who_is_not_told(AlertSettings(receivers={"chat": CHAT}))[0].endswith("of the severity ticket")


def test_a_name_with_a_dot_is_matched_as_it_is_written(tmp_path):
    (tmp_path / "core.yaml").write_text("services: {a: {image: x:1}, b.c: {image: x:1, depends_on: [a]}}")
    (rule,) = standing(config(read_platform(tmp_path), AlertSettings()))
    assert rule["target_matchers"] == ['service=~"b[.]c"']


@pytest.mark.parametrize(("seconds", "text"), [(4 * 3600, "4h"), (5400, "90m"), (45, "45s"), (0.5 * 3600, "30m")])
def test_a_time_is_written_as_prometheus_reads_it(seconds, text):
    assert duration(seconds) == text


def test_a_receiver_of_reminders_alone_has_no_route_but_that_of_trials(chain):
    reminded = WEBHOOK.model_copy(update={"severities": ()})
    routes = config(chain, AlertSettings(receivers={"hook": WEBHOOK, "head": reminded}, then=("head",)))["route"]
    assert [one["receiver"] for one in routes["routes"] if "matchers" not in one] == ["hook"]
    assert "head" not in [one["receiver"] for one in routes["routes"]]
