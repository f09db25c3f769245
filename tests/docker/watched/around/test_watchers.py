"""What watches is broken itself, and somebody is told all the same."""

from __future__ import annotations

import pytest

from watched.platform import Watched, await_all

from .test_objectives import burning

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]


@burning
def test_a_dead_exporter_is_told_and_leaves_no_figure_behind(watched: Watched):
    sink = watched.sink.from_now()
    watched.containers()["exporter"].kill()
    await_all({"exporter_blind": lambda: sink.fired("exporter_blind")})
    assert watched.prometheus("sutazai_probe_state") == {}
    assert watched.prometheus("signal:service_cpu") == {}
    watched.containers()["exporter"].start()
    await_all({"exporter_blind": lambda: sink.resolved("exporter_blind")})


def test_a_dead_alertmanager_is_told_past_it(watched: Watched):
    sink = watched.sink
    sink.forget()
    watched.mail.mails.clear()
    watched.containers()["alertmanager"].kill()
    # One receiver is down as well: it is tried again, and that it was is told once Alertmanager is back.
    sink.status = 500
    try:
        await_all({"alertmanager_blind, by mail": lambda: watched.mail.has("alertmanager_blind")})
    finally:
        sink.status = 200
    await_all({"alertmanager_blind": lambda: sink.fired("alertmanager_blind")})
    watched.containers()["alertmanager"].start()
    await_all({"notices_undelivered": lambda: sink.fired("notices_undelivered", receiver="hook")})
    ended = ("alertmanager_blind", "notices_undelivered")
    await_all({name: lambda name=name: sink.resolved(name) for name in ended})
