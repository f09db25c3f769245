"""One installation as everything that acts on it sees it: settings, platform, engine, store, ledger.

Each part is loaded and opened when it is first asked for, so that a command that needs only the settings works while
everything else is broken, and `--help` waits for nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sutazai_ops.backups.store import Store
    from sutazai_ops.engines import Engine
    from sutazai_ops.ledger import Ledger
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
        from sutazai_ops.platform import read_platform, with_external

        given = {"SECRETS_FOLDER": str(self.settings.secrets)}
        return with_external(read_platform(self.settings.platform, given), self.settings.external)

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


def open_installation() -> Installation:
    """What the environment and sutazai.toml describe; raises `BadInput` for a setting that is wrong."""
    from sutazai_ops.settings import load

    return Installation(load())


def read_installation() -> tuple[Settings, Platform]:
    """What the files and the environment say, without reaching for a server; raises `BadInput` as they do."""
    installation = open_installation()
    return installation.settings, installation.platform
