"""What the settings add to the services of monitoring: the secrets of receivers, and what the exporter reads.

A receiver's address stands in a file that the settings name and that nobody but its owner may read. Alertmanager, which
is not that owner, is given a copy as a secret: it lies in the secrets' folder, which is closed to others. What the
exporter has to read and what lies outside the home folder is mounted into it at the same path, read-only. Pure, but for
`copy_secrets` and `open_to_others`.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from sutazai_ops.disk import write_whole, writing
from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.servers import alertmanager_of, exporter_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sutazai_ops.platform import Platform, Service
    from sutazai_ops.settings import AlertSettings, Settings

OUTSIDE = "(outside)"
"""The receiver of whoever looks from outside; a name in brackets is none that the settings take."""


def with_additions(platform: Platform, settings: Settings) -> Platform:
    """The platform in which its Alertmanager and our exporter are given what the settings name."""
    if (alertmanager := alertmanager_of(platform)) and (names := secret_files(settings.alerts)):
        given = {name: {"file": str(settings.secrets / name)} for name in names}
        platform = _with_secrets(platform, alertmanager, given)
    if exporter := exporter_of(platform):
        mounts = [_read_only(path) for path in sorted(set(_outside_of_home(settings, platform)))]
        volumes = [*(exporter.compose.get("volumes") or ()), *mounts]
        platform = _replaced(platform, exporter, {"volumes": volumes})
    return platform


def secret_files(alerts: AlertSettings) -> dict[str, Path]:
    """The files that the settings name, by the name of the secret as which Alertmanager is given them."""
    files = {
        secret_name(name): file
        for name, receiver in alerts.receivers.items()
        if (file := receiver.password_file if receiver.kind == "mail" else receiver.url_file)
    }
    if alerts.watchdog_url_file:
        files[secret_name(OUTSIDE)] = alerts.watchdog_url_file
    return files


def open_to_others(alerts: AlertSettings) -> list[str]:
    """Which of those files others may read, one sentence each: whoever has an address can write to the people there."""
    files = sorted(set(filter(_is_open, secret_files(alerts).values())))
    return [f"others may read {file}: chmod 600 '{file}'" for file in files]


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        # One that is not there is told where it is needed.
        return False


def secret_name(receiver: str) -> str:
    """The secret as which Alertmanager is given a receiver's file."""
    return "alerts-outside" if receiver == OUTSIDE else f"alerts-to-{receiver}"


def copy_secrets(settings: Settings, platform: Platform) -> None:
    """Put a copy of what the receivers' files hold where Alertmanager is given it, whole, where it has changed.

    A platform without an Alertmanager is given none.

    Raises:
        BadInput: for a file that is not there or cannot be read; names the setting's file.
        OpsError: when a copy cannot be written.
    """
    if alertmanager_of(platform) is None:
        return
    for name, file in secret_files(settings.alerts).items():
        try:
            content = file.read_bytes()
        except OSError as error:
            raise BadInput(
                f"cannot read a file that the settings name below alerts: {error.strerror}",
                where=str(file),
                remedy="write the address or the password into it, and let this user read it",
            ) from None
        copy = settings.secrets / name
        with writing(copy):
            if copy.exists() and copy.read_bytes() == content:
                continue
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(copy, content)
            # The folder keeps others out, and a container reads what everybody may read.
            copy.chmod(0o444)


def _with_secrets(platform: Platform, service: Service, given: Mapping[str, Mapping[str, str]]) -> Platform:
    secrets = [*(service.compose.get("secrets") or ()), *given]
    platform = _replaced(platform, service, {"secrets": secrets})
    phases = tuple(
        phase.model_copy(update={"top": {**phase.top, "secrets": {**phase.top.get("secrets", {}), **given}}})
        if phase.name == service.phase
        else phase
        for phase in platform.phases
    )
    return platform.model_copy(update={"phases": phases})


def _replaced(platform: Platform, service: Service, keys: Mapping[str, Any]) -> Platform:
    changed = service.model_copy(update={"compose": {**service.compose, **keys}})
    return platform.model_copy(update={"services": {**platform.services, service.name: changed}})


def _outside_of_home(settings: Settings, platform: Platform) -> Iterator[Path]:
    from sutazai_ops.settings import PACKAGED_PLATFORM

    named = [
        None if platform.folder == PACKAGED_PLATFORM else platform.folder,
        settings.backup.store,
        settings.ledger_password_file,
        settings.monitoring.signals,
        settings.monitoring.thresholds,
        settings.monitoring.windows,
        *(external.password_file for external in settings.external.values()),
        *secret_files(settings.alerts).values(),
    ]
    return (path for path in named if path is not None and not path.is_relative_to(settings.home))


def _read_only(path: Path) -> str:
    return f"{path}:{path}:ro"
