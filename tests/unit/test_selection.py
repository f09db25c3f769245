"""Which services a deployment touches."""

from __future__ import annotations

import pytest
from releases import platform

from sutazai_ops.deployment.selection import select
from sutazai_ops.errors import BadInput

CORE = """
services:
  db: {image: "postgres:16"}
  api: {image: shop/api, depends_on: [db]}
  web: {image: shop/web, depends_on: [api]}
"""
MONITORING = """
services:
  collector: {image: shop/collector, x-sutazai: {aliases: [scraper]}}
"""


@pytest.fixture
def chosen(tmp_path):
    shop = platform(tmp_path, core=CORE, monitoring=MONITORING)

    def choose(*, phases=None, services=None, present=(), cannot=()):
        return select(
            shop,
            phases=phases,
            services=services,
            present=present,
            cannot_run=lambda s: "no server" if s.name in cannot else "",
        )

    return choose


def test_naming_a_service_touches_it_alone_when_what_it_needs_runs(chosen):
    assert chosen(services=["web"], present=["db", "api"]).services == {"web"}


def test_what_a_service_cannot_run_without_comes_along(chosen):
    assert chosen(services=["web"]).services == {"web", "api", "db"}
    assert chosen(services=["web"], present=["db"]).services == {"web", "api"}


def test_no_phase_is_whole_when_services_are_named(chosen):
    assert chosen(services=["web"]).phases == ()


def test_nothing_named_is_everything(chosen):
    selection = chosen()
    assert selection.phases == ("core", "monitoring")
    assert selection.services == {"db", "api", "web", "collector"}


def test_a_phase_is_its_own_services(chosen):
    assert chosen(phases=["monitoring"]).services == {"collector"}


def test_an_alias_is_the_service_it_stands_for(chosen):
    assert chosen(services=["scraper"]).services == {"collector"}


@pytest.mark.parametrize("named", [{"services": ["webb"]}, {"phases": ["monitorin"]}])
def test_an_unknown_name_is_refused_with_the_nearest_known_one(chosen, named):
    with pytest.raises(BadInput) as told:
        chosen(**named)
    assert "web" in told.value.remedy or "monitoring" in told.value.remedy


def test_what_the_engine_cannot_run_is_left_out_with_what_depends_on_it(chosen):
    selection = chosen(cannot=["api"])
    assert selection.services == {"db", "collector"}
    assert dict(selection.left_out) == {"api": "no server", "web": "it depends on api"}


def test_naming_what_the_engine_cannot_run_is_refused(chosen):
    with pytest.raises(BadInput, match="cannot deploy api: no server"):
        chosen(services=["web"], cannot=["api"])
