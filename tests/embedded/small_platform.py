"""A small platform of real servers whose incidents open at once, for tests of remediation."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime

from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.remediation.observe import Watched, observe
from sutazai_ops.remediation.verdict import Reason
from sutazai_ops.settings import AlertSettings, Loaded, MonitoringSettings, RemediationSettings, Settings

PLATFORM = """
services:
  db:
    image: postgres:18
    x-sutazai:
      probes: [{kind: postgres, timeout_seconds: 1}]
      embedded: {server: postgres}
  cache:
    image: valkey/valkey:9
    x-sutazai:
      tier: stateless
      backup: none
      needs: [db]
      probes: [{kind: redis, timeout_seconds: 1}]
      queues:
        - {name: tasks, key: tasks}
        - {name: orders, key: orders, queued_at: queued_at, attempts: tries}
        - {name: events, key: events, kind: stream}
      caches: ["page:*", {keys: "answer:*", database: 1}]
      embedded: {server: valkey}
  exporter:
    image: sutazai/ops:0.1.0
    command: [exporter]
    x-sutazai:
      probes: [{kind: http, port: 9177, path: /-/ready}]
      embedded: {server: exporter}
"""
SOON = "service_down: {for: 2s, keep_firing_for: 2s}\n"
NOT_MEANT = "collector_failing: {for: 1h}\n"
"""What tests cause that stop servers one after the other for longer than the five minutes that it waits."""
AT_ONCE = """
service-down:
  persists: 2s
  grace: 0s
  ladder:
    - {act: restart, costs: 1s, grace: 1s, polls: 2, verify: {signal: service_down, below: 1}}
    - {act: recreate, costs: 1s, grace: 1s, polls: 2}
monitoring:
  persists: 2s
  grace: 0s
  ladder:
    - {act: restart, when: [measures], costs: 1s, grace: 1s, polls: 2}
"""


@contextmanager
def watched_platform(home, alerts=None, soon=SOON):
    """It runs, and is watched, until the context ends."""
    (home / "platform").mkdir()
    (home / "platform/core.yaml").write_text(PLATFORM)
    (home / "thresholds.yaml").write_text(NOT_MEANT + soon)
    (home / "playbooks.yaml").write_text(AT_ONCE)
    settings = Settings(
        home=home,
        platform=home / "platform",
        engine="embedded",
        monitoring=MonitoringSettings(interval_seconds=1, thresholds=home / "thresholds.yaml"),
        alerts=alerts or AlertSettings(),
        remediation=RemediationSettings(playbooks=home / "playbooks.yaml"),
    )
    installation = Installation(Loaded(settings=settings, origins={}))
    try:
        installation.engine.apply(installation.engine.plan(list(installation.platform)), Silent())
        yield installation
    finally:
        for service in ("exporter", "cache", "db"):
            installation.engine.stop(service)


def judged(watched: Watched, is_so, seconds: float = 60):
    """Look until what was decided is as it should be, by target."""
    until = time.monotonic() + seconds
    while True:
        found = observe(watched, datetime.now(UTC))
        by_target = {one.incident.target: one for one in found.judged}
        if not found.blind and is_so(by_target):
            return by_target
        assert time.monotonic() < until, (found.blind, by_target)
        time.sleep(0.5)


def reason(by_target, target) -> Reason | None:
    return by_target[target].verdict.reason if target in by_target else None
