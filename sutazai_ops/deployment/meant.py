"""What is meant to run here and can be asked: whom probes ask when nobody names a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.deployment.release import Releases
from sutazai_ops.deployment.wanted import one_shots
from sutazai_ops.engines import State
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service


def meant_to_run(here: Installation) -> list[Service]:
    """The services of the current release; before the first whatever this engine can run, or of containers those there.

    Not those that have ended by now as they should, and that nobody can ask.

    Raises:
        OpsError: when the releases cannot be read.
    """
    release = Releases(here.settings.releases).current()
    # While the first release is rolled out, what it has not come to yet is not missing.
    there = None if release or here.engine.name == "embedded" else _there(here)
    ending = one_shots({service.name: service.compose for service in here.platform})
    return [
        service
        for service in here.platform
        if service.name not in ending
        and (service.external or not here.engine.cannot_run(service))
        and (release is None or service.name in release.services or service.external)
        and (there is None or service.name in there or service.external)
    ]


def _there(here: Installation) -> set[str] | None:
    """What the engine has of the platform; None where it cannot say, so that all of it is asked and found unknown."""
    try:
        return {one.service for one in here.engine.observe() if one.state is not State.ABSENT}
    except OpsError:
        return None
