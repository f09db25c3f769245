"""One installation as everything that acts on it sees it: settings, platform, engine, store, ledger.

Each part is loaded and opened when it is first asked for, so that a command that needs only the settings works while
everything else is broken, and `--help` waits for nothing.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from sutazai_ops.host_mounts import shares_its_mounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.backups.store import Store
    from sutazai_ops.engines import Engine
    from sutazai_ops.ledger import Ledger, ScalingEntry
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Loaded, Settings


class Installation:
    """The settings, and what they lead to."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    @property
    def settings(self) -> Settings:
        """The settings' values."""
        return self.loaded.settings

    @cached_property
    def platform(self) -> Platform:
        """What should run; raises `BadInput` for a file that is wrong."""
        from sutazai_ops.monitoring.additions import with_additions
        from sutazai_ops.platform import read_platform, with_external

        read = read_platform(self.settings.platform, _given(self.settings))
        return with_additions(with_external(read, self.settings.external), self.settings)

    @cached_property
    def engine(self) -> Engine:
        """Where it runs."""
        from sutazai_ops.engines import open_engine

        return open_engine(self.settings, self.platform)

    @cached_property
    def store(self) -> Store:
        """The folder of the backup sets."""
        from sutazai_ops.backups.store import Store

        return Store(self.settings.backup_store)

    @cached_property
    def ledger(self) -> Ledger:
        """The database of what was done; raises `OpsError` when it cannot be opened."""
        from sutazai_ops.ledger import open_ledger

        return open_ledger(self.settings)

    def standing_scalings(self) -> Mapping[str, ScalingEntry]:
        """By service the last decision to scale it; the ledger is opened only where there is any."""
        from sutazai_ops.ledger_glance import is_empty

        return {} if is_empty(self.settings, "scalings") else self.ledger.standing_scalings()


def _given(settings: Settings) -> dict[str, str]:
    """What this installation says of itself to the platform's files."""
    try:
        facts = settings.home.stat()
        owner = f"{facts.st_uid}:{facts.st_gid}"
    except OSError:
        # It will be made by whoever deploys.
        owner = f"{os.geteuid()}:{os.getegid()}"
    return {
        "SECRETS_FOLDER": str(settings.secrets),
        "GENERATED_FOLDER": str(settings.generated),
        "HOME_FOLDER": str(settings.home),
        "STATUS_FOLDER": str(settings.status_page_folder),
        # Whoever reads what only the owner of the home folder may read has to be that owner.
        "HOME_OWNER": owner,
        "HOST_MOUNT": "ro,rslave" if shares_its_mounts() else "ro",
        "PROMETHEUS_RETENTION_DAYS": str(settings.monitoring.retention_days),
        "PROMETHEUS_RETENTION_GIGABYTES": str(settings.monitoring.retention_gigabytes),
    }


def open_installation() -> Installation:
    """What the environment and sutazai.toml describe; raises `BadInput` for a setting that is wrong."""
    from sutazai_ops.settings import load

    return Installation(load())


def read_installation() -> tuple[Settings, Platform]:
    """What the files and the environment say, without reaching for a server; raises `BadInput` as they do."""
    installation = open_installation()
    return installation.settings, installation.platform
