"""Who is told of alerts, as Alertmanager is told it: routes, receivers, and what is not told because of something else.

Alerts of one service come as one message. What stands on a service that is down is silent while it is: the rules for
that follow from `depends_on` and `needs`. An alert that always fires goes to an address outside, so that silence is an
alarm there. The secret addresses and passwords are never here: the configuration names the files that Alertmanager
reads them from. Pure: a platform and settings come in, texts go out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.monitoring.additions import OUTSIDE, secret_name
from sutazai_ops.monitoring.scrape import SECRETS
from sutazai_ops.monitoring.thresholds import ALL, Severity
from sutazai_ops.platform.needs import needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sutazai_ops.monitoring.thresholds import Rulebook, Threshold
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import AlertSettings, Receiver

DOWN = "service_down"
"""The alert that says that a service is not there for its users."""
WATCHDOG = "watchdog"
"""The alert that always fires."""
TRIAL = "trial"
"""The alert of `sutazai-ops alerts test`, which everybody is told of at once."""
SEVERITIES = ("page", "ticket")
NOBODY = "(nobody)"
"""A receiver of our own; a name in brackets is none that the settings take."""

GROUP_WAIT_SECONDS = 10
"""How long others of the same service are waited for: a part of the two minutes within which what is unknown is told
(docs/monitoring.md reckons them)."""
GROUP_INTERVAL_SECONDS = 60
"""After which further ones, and resolutions, are told."""
WATCHDOG_SECONDS = 30
"""Every second look is a call: Alertmanager looks at a group so often, and sends when what it sent is older."""

HEAD = """\
# Who is told of alerts. Made by `sutazai-ops config generate` from the settings below `alerts` and from what the files
# of the platform say of dependencies; changes here are overwritten.
"""
TEMPLATES = """{{/* What a person reads in a chat and in a mail. Made by `sutazai-ops config generate`. */}}
{{ define "told.title" -}}
{{ .Status | toUpper }} {{ with .CommonLabels.service }}{{ . }}: {{ end -}}
{{ range $index, $alert := .Alerts }}{{ if $index }}, {{ end }}{{ $alert.Labels.alertname }}{{ end }}
{{- end }}
{{ define "told.text" -}}
{{ range .Alerts.Firing }}{{ .Labels.severity }} {{ .Labels.alertname }}: {{ .Annotations.summary }}
  since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05" }} UTC
  next: {{ .Annotations.next }}
  runbook: {{ .Annotations.runbook_url }}
{{ end }}{{ range .Alerts.Resolved }}resolved {{ .Labels.alertname }}: {{ .Annotations.summary }}
  from {{ .StartsAt.UTC.Format "2006-01-02 15:04:05" }} to {{ .EndsAt.UTC.Format "2006-01-02 15:04:05" }} UTC
{{ end }}
{{- end }}
"""


def alertmanager_file(platform: Platform, alerts: AlertSettings, rulebook: Rulebook) -> str:
    """Alertmanager's configuration: https://prometheus.io/docs/alerting/latest/configuration/.

    Args:
        platform: what stands on what.
        alerts: who is told.
        rulebook: which alerts say nothing new while others fire.
    """
    content = {
        "route": {
            "receiver": NOBODY,
            "group_by": ["service"],
            "group_wait": duration(GROUP_WAIT_SECONDS),
            "group_interval": duration(GROUP_INTERVAL_SECONDS),
            "repeat_interval": duration(alerts.repeat_hours * 3600),
            "routes": list(_routes(alerts)),
        },
        "inhibit_rules": [*_same_cause(rulebook), *_what_it_stands_on(platform)],
        "receivers": [{"name": NOBODY}, *_receivers(alerts)],
        "templates": ["*.tmpl"],
    }
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=120)


def who_is_not_told(alerts: AlertSettings) -> list[str]:
    """What leaves alerts without a person who hears of them, one sentence each; nothing when all is well."""
    if not alerts.receivers:
        found = ["nobody is told of alerts: no receiver is set under alerts.receivers"]
    else:
        heard = {severity for receiver in alerts.receivers.values() for severity in receiver.severities}
        found = [f"nobody is told of alerts of the severity {one}" for one in SEVERITIES if one not in heard]
    if alerts.watchdog_url_file is None:
        found.append("a dead monitor is told by nobody: alerts.watchdog_url_file names no address outside")
    return found


def standing_on(platform: Platform) -> dict[str, list[str]]:
    """For each service those that cannot do their work without it, through others too, in roll-out order."""
    below = needs(platform)
    return {name: found for name in below if (found := [other for other, needed in below.items() if name in needed])}


def duration(seconds: float) -> str:
    """A time as Prometheus and Alertmanager write it.

    >>> [duration(14400), duration(5400), duration(45)]
    ['4h', '90m', '45s']
    """
    whole = round(seconds)
    for unit, letter in ((3600, "h"), (60, "m")):
        if whole % unit == 0 and whole:
            return f"{whole // unit}{letter}"
    return f"{whole}s"


def _routes(alerts: AlertSettings) -> Iterator[dict[str, Any]]:
    outside = OUTSIDE if alerts.watchdog_url_file else NOBODY
    yield {
        "receiver": outside,
        "matchers": [f'alertname="{WATCHDOG}"'],
        "group_by": ["alertname"],
        "group_wait": "0s",
        "group_interval": duration(WATCHDOG_SECONDS),
        "repeat_interval": duration(WATCHDOG_SECONDS + WATCHDOG_SECONDS // 2),
    }
    yield {
        "receiver": NOBODY,
        "matchers": [f'alertname="{TRIAL}"'],
        "group_by": ["sent_at"],
        "group_wait": "0s",
        "routes": [{"receiver": name, "continue": True} for name in alerts.receivers],
    }
    yield {"receiver": NOBODY, "matchers": [f'severity="{Severity.NONE}"']}
    for name, receiver in alerts.receivers.items():
        if not receiver.severities:
            continue
        route: dict[str, Any] = {"receiver": name, "continue": True}
        # Whoever takes both takes what has neither too, such as an alert of somebody else's rules.
        if set(receiver.severities) != set(SEVERITIES):
            route["matchers"] = [f'severity=~"{"|".join(receiver.severities)}"']
        yield route


def _receivers(alerts: AlertSettings) -> Iterator[dict[str, Any]]:
    for name, receiver in alerts.receivers.items():
        yield {"name": name, f"{receiver.kind if receiver.kind != 'mail' else 'email'}_configs": [_how(name, receiver)]}
    if alerts.watchdog_url_file:
        yield {"name": OUTSIDE, "webhook_configs": [{"url_file": _mounted(OUTSIDE), "send_resolved": False}]}


def _how(name: str, receiver: Receiver) -> Mapping[str, Any]:
    if receiver.kind == "webhook":
        return {"url_file": _mounted(name), "send_resolved": True}
    title, text = '{{ template "told.title" . }}', '{{ template "told.text" . }}'
    if receiver.kind == "slack":
        return {"api_url_file": _mounted(name), "send_resolved": True, "title": title, "text": text}
    mail = {
        "to": receiver.to,
        "from": receiver.sender,
        "smarthost": receiver.smarthost,
        "require_tls": receiver.tls,
        "send_resolved": True,
        "headers": {"Subject": title},
        "text": text,
        # Its own page of HTML shows neither the next command nor the runbook.
        "html": "",
    }
    if receiver.user:
        mail["auth_username"] = receiver.user
    if receiver.password_file:
        mail["auth_password_file"] = _mounted(name)
    return mail


def _same_cause(rulebook: Rulebook) -> Iterator[dict[str, Any]]:
    for threshold in rulebook.thresholds.values():
        if threshold.inhibits:
            # One that is about a service says so of that service alone.
            is_of_a_service = "service" in rulebook.signal_of(threshold).labels
            yield {
                "source_matchers": [f'alertname="{threshold.name}"'],
                "target_matchers": [_whatever_says_nothing_beside(threshold)],
                **({"equal": ["service"]} if is_of_a_service else {}),
            }


def _whatever_says_nothing_beside(threshold: Threshold) -> str:
    if ALL in threshold.inhibits:
        return f'alertname!="{threshold.name}"'
    return f'alertname=~"{"|".join(threshold.inhibits)}"'


def _what_it_stands_on(platform: Platform) -> Iterator[dict[str, Any]]:
    for service, others in standing_on(platform).items():
        yield {
            "source_matchers": [f'alertname="{DOWN}"', f'service="{service}"'],
            "target_matchers": [f'service=~"{"|".join(others).replace(".", "[.]")}"'],
        }


def _mounted(receiver: str) -> str:
    return f"{SECRETS}/{secret_name(receiver)}"
