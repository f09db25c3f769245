"""How services stand against what is meant: what a person sees who asks what runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from probe_servers import page, serving
from recorded_engine import RecordedEngine

from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.deployment.standing import Standing, look
from sutazai_ops.engines import Endpoint, Health, State
from sutazai_ops.installation import Installation
from sutazai_ops.platform import Platform
from sutazai_ops.progress import Silent
from sutazai_ops.settings import DeploySettings, Loaded, Settings

SHOP = """
services:
  web: {image: "shop/web:1.0", x-sutazai: {probes: [{kind: http, port: 80, path: /}]}}
  plain: {image: "shop/plain:1.0"}
  prepare: {image: "shop/prepare:1.0", restart: "no"}
"""


class Answering(RecordedEngine):
    """A recorded engine whose web service answers at a port of this machine; no container has a health check."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.port = 0

    def endpoint(self, service: str, port: int | None = None) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    def change(self, service: str, **facts) -> None:
        """Let its containers be otherwise than they are."""
        for containers in self.projects.values():
            if service in containers:
                containers[service] = tuple(replace(one, **facts) for one in containers[service])


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "core.yaml").write_text(SHOP)
    deploy = DeploySettings(settle_seconds=0, probe_timeout_seconds=0)
    settings = Settings(home=tmp_path / "home", platform=folder, deploy=deploy)
    installation = Installation(Loaded(settings=settings, origins={}))
    engine = Answering(installation.platform)
    installation.__dict__["engine"] = engine
    with serving(page(200)) as engine.port:
        Deployments.of(installation).deploy(Silent())
    for service in ("web", "plain"):
        engine.change(service, health=Health.UNKNOWN)
    engine.change("prepare", state=State.STOPPED, exit_code=0)
    return installation


def standings(here: Installation) -> dict[str, Standing]:
    return {one.service: one for one in look(here).services}


def test_what_has_no_health_check_is_asked_by_its_probe(here: Installation):
    with serving(page(200)) as here.engine.port:
        assert standings(here)["web"].health is Health.OK
    with serving(page(503)) as here.engine.port:
        web = standings(here)["web"]
    assert (web.health, web.note) == (Health.FAILED, "it answers 503, not 200")


def test_what_nobody_can_ask_is_unknown_and_says_why(here: Installation):
    plain = standings(here)["plain"]
    assert (plain.health, plain.note) == (Health.UNKNOWN, "no probe: add one under x-sutazai, see docs/extend.md")


def test_a_one_shot_that_ended_well_is_done_and_one_that_is_gone_is_not(here: Installation):
    assert (standings(here)["prepare"].state, standings(here)["prepare"].health) == ("done", Health.OK)
    here.engine.projects["shop-core" if "shop-core" in here.engine.projects else "shop"].pop("prepare")
    assert standings(here)["prepare"].state == "absent"


def test_what_has_drifted_stands_beside_its_service_with_the_release_that_meant_it(here: Installation):
    here.engine.change("plain", memory=64 * 1024**2)
    plain = standings(here)["plain"]
    assert (plain.release, [drift.field for drift in plain.drifts]) == (1, ["memory limit"])
    assert look(here).drifts == plain.drifts


def test_before_the_first_release_nothing_is_there(tmp_path: Path, here: Installation):
    settings = here.settings.model_copy(update={"home": tmp_path / "another"})
    other = Installation(Loaded(settings=settings, origins={}))
    other.__dict__["engine"] = Answering(other.platform)
    status = look(other)
    assert status.release is None
    assert not any(one.is_there for one in status.services)
