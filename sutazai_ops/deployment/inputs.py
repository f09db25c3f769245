"""What a release is made from: the platform's files, the images that were chosen, mounted files, versions of secrets.

`gather` reads; the others generate and copy what the release needs before it can run. Apart, so that a plan leaves
nothing behind but generated configuration, which follows from files and settings alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sutazai_ops.deployment import secrets
from sutazai_ops.deployment.files import copy_files, plan_files
from sutazai_ops.deployment.images import chosen, read_lock
from sutazai_ops.deployment.release import ReleasedPhase
from sutazai_ops.deployment.wanted import Ingredients, wanted_services, wanted_top

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sutazai_ops.deployment.files import Copy
    from sutazai_ops.deployment.secrets import Secret
    from sutazai_ops.deployment.wanted import WantedService
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that goes into a release."""

    wanted: tuple[WantedService, ...] = ()
    tops: Mapping[str, ReleasedPhase] = field(default_factory=dict)
    """What each phase's file says beside its services, in roll-out order."""
    copies: tuple[Copy, ...] = ()
    """The mounted files that the release repeats."""
    to_generate: tuple[Secret, ...] = ()
    """The secrets that are not there yet."""


NOTHING = Inputs()
"""For a release that is made of earlier ones."""


def gather(settings: Settings, platform: Platform, services: Collection[str], whole: Collection[str]) -> Inputs:
    """Read all that goes into a release of these services.

    Args:
        settings: the images and the folders.
        platform: what the files say.
        services: their names.
        whole: the phases whose overlays are in force.

    Raises:
        BadInput: for a file or a secret that is not there, or an image that no service has.
    """
    files = plan_files(platform, services, whole, settings.generated)
    used = secrets.secrets_of(platform, _secrets_of(platform, services, whole))
    versions = secrets.versions(used, settings.secrets)
    images = chosen(platform, settings.images, read_lock(settings.images_lock))
    phases = [phase for phase in platform.phases if set(phase.services) & set(services)]
    return Inputs(
        wanted=tuple(wanted_services(platform, services, whole, Ingredients(images, files, versions))),
        tops={
            phase.name: ReleasedPhase(project=phase.project, top=wanted_top(platform, phase.name, whole, files))
            for phase in phases
        },
        copies=tuple(files.all_copies()),
        to_generate=secrets.to_generate(used),
    )


def write_generated(settings: Settings, platform: Platform) -> None:
    """Bring the configuration and the copies of secrets that are made for services up to date, before they are read.

    The status page's folder is made as well: Docker would make it as root's, and nobody else could write the page.

    Raises:
        BadInput: for a file of signals or thresholds that is wrong, or a receiver's that is not there.
        OpsError: when it cannot be written.
    """
    from sutazai_ops.generated import write_configuration
    from sutazai_ops.monitoring.additions import copy_secrets
    from sutazai_ops.status_page.files import make_folder

    write_configuration(settings, platform)
    copy_secrets(settings, platform)
    make_folder(settings.status_page_folder, owner_of=settings.home)


def generate_secrets(settings: Settings, platform: Platform, inputs: Inputs) -> None:
    """Generate the secrets that are not there yet; raises `OpsError` when one cannot be written."""
    secrets.generate(inputs.to_generate, secrets.secrets_of(platform), settings.secrets)


def copy_mounted_files(inputs: Inputs, releases: Path) -> None:
    """Copy the mounted files beside the releases; raises `OpsError` when one cannot be written."""
    copy_files(inputs.copies, releases)


def code_versions(settings: Settings, platform: Platform) -> dict[str, str]:
    """For each service a short text that changes with its definition and its mounted files, read from files alone."""
    services = {service.name for service in platform if service.external is None}
    files = plan_files(platform, services, (), settings.generated)
    images = chosen(platform, settings.images, read_lock(settings.images_lock))
    wanted = wanted_services(platform, services, (), Ingredients(images, files))
    return {service.name: service.spec[:12] for service in wanted}


def _secrets_of(platform: Platform, services: Collection[str], whole: Collection[str]) -> set[str]:
    definitions = [platform.definition(name, whole) for name in services]
    return {
        str(entry.get("source") if isinstance(entry, dict) else entry)
        for definition in definitions
        for entry in definition.get("secrets") or ()
    }
