"""Repairs of containers on a real engine: made anew, started again, put back; and room that is made harms nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import docker
import pytest
from shop import Shop

from sutazai_ops.engines import State
from sutazai_ops.errors import Refused
from sutazai_ops.ledger import IncidentEntry
from sutazai_ops.remediation.actions import ACTIONS
from sutazai_ops.remediation.playbook import Action

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def shop(rolled_out: Shop) -> Shop:
    return rolled_out


def repair(shop: Shop, action: Action, target: str) -> str:
    now = datetime.now(UTC)
    alerts = [{"threshold": "service_down", "labels": {"service": target}}]
    incident = IncidentEntry(7, target, "service-down", "service-down", "page", "", alerts, now, now)
    return ACTIONS[action](shop.installation, incident)


def one(shop: Shop, service: str):
    return next(found for found in shop.installation.engine.observe() if found.service == service)


def test_what_was_stopped_is_started_again(shop: Shop):
    shop.installation.engine.stop("teller")
    assert repair(shop, Action.RESTART, "teller") == "teller was stopped and started"
    assert one(shop, "teller").state is State.RUNNING


def test_a_service_behind_the_proxy_is_made_anew_from_its_release_and_is_reached(shop: Shop):
    before, release = one(shop, "page").containers, shop.deployments.releases.current()
    assert repair(shop, Action.RECREATE, "page") == f"page was made anew as release {release.number} means it"
    after = one(shop, "page").containers
    assert {container.id for container in before}.isdisjoint(container.id for container in after)
    assert [container.spec for container in after] == [release.services["page"].spec]
    assert shop.deployments.releases.current() == release
    assert shop.ask().status_code == 200


def test_a_phase_goes_back_to_the_release_before_the_one_that_changed_the_service(shop: Shop):
    first = shop.deployments.releases.current()
    with pytest.raises(Refused, match="was never good before"):
        repair(shop, Action.ROLL_BACK, "page")
    shop.write(version="1.0.1")
    shop.deploy()
    assert one(shop, "page").containers[0].image.endswith(":1.0.1")
    assert repair(shop, Action.ROLL_BACK, "page") == f"core runs as release {first.number} again"
    assert one(shop, "page").containers[0].image.endswith(":1.0.0")
    assert shop.ask().status_code == 200


def test_making_room_takes_no_image_or_volume_of_what_runs(shop: Shop, engine_client: docker.DockerClient):
    images = {container.image.id for container in shop.containers().values()}
    assert shop.installation.engine.clean_up() >= 0
    assert images <= {image.id for image in engine_client.images.list(all=True)}
    assert [volume for volume in engine_client.volumes.list() if volume.name.startswith(shop.name)]
