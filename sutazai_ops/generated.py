"""All the configuration that is generated for a platform: the parts of every area that makes some, joined.

It lies in one folder that services mount, which `generated_folder` brings to what it should be. The copies
beside the packaged platform are the same files made from default settings, for those who run Compose by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.generated_cache import kept_or_made
from sutazai_ops.generated_folder import bring, differences

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.generated_folder import Files
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings


def generated_files(settings: Settings, platform: Platform, folder: Path) -> Files:
    """All that is generated for a platform.

    Args:
        settings: who is told, what is too much.
        platform: read with its mounts leading to `folder`.
        folder: where the files will lie.

    Raises:
        BadInput: for a file of signals, thresholds or objectives that is wrong.
    """
    from sutazai_ops.monitoring import configuration as monitoring
    from sutazai_ops.slo import generated as objectives

    return monitoring.made_of((*monitoring.PARTS, *objectives.PARTS), settings, platform, folder)


def generated_here(settings: Settings, platform: Platform) -> Files:
    """All that is generated for this installation; raises as `generated_files`.

    The windows of maintenance are read as well: the exporter reads them itself, and could not start with wrong ones.
    """
    from sutazai_ops.maintenance import read_windows

    read_windows(settings.monitoring.windows, platform.services)
    return kept_or_made(settings, platform, lambda: generated_files(settings, platform, settings.generated))


def write_configuration(settings: Settings, platform: Platform) -> list[str]:
    """Bring the generated folder of this installation to what it should be.

    Returns:
        The files that were written or removed, by their paths from the folder on.

    Raises:
        BadInput: for a file of signals, thresholds or objectives that is wrong.
        OpsError: when something cannot be written.
    """
    return bring(settings.generated, generated_here(settings, platform))


def stale_files(settings: Settings, platform: Platform) -> list[str]:
    """The generated files of this installation that are not as they would be made now; those it never had, too."""
    return differences(settings.generated, generated_here(settings, platform))


def committed_files() -> Files:
    """The copies beside the packaged platform, as they should be: made from its files and default settings."""
    from sutazai_ops.platform import read_platform
    from sutazai_ops.settings import PACKAGED_PLATFORM, Settings

    folder = PACKAGED_PLATFORM / "config"
    return generated_files(Settings(), read_platform(PACKAGED_PLATFORM, {"GENERATED_FOLDER": str(folder)}), folder)


def stale_copies() -> list[str]:
    """The copies beside the packaged platform that are not as they should be."""
    from sutazai_ops.settings import PACKAGED_PLATFORM

    return differences(PACKAGED_PLATFORM / "config", committed_files())


def write_copies() -> list[str]:
    """Make the copies beside the packaged platform anew; raises `OpsError` when one cannot be written."""
    from sutazai_ops.settings import PACKAGED_PLATFORM

    return bring(PACKAGED_PLATFORM / "config", committed_files())
