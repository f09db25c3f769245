"""Leaves out the services whose profiles are not active, as Compose does.

COMPOSE_PROFILES names the active ones, or `*` for all: https://docs.docker.com/compose/how-tos/profiles/. What is left
out is no service of the platform: it is neither run nor backed up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sutazai_ops.platform.compose_file import ComposeFile
    from sutazai_ops.platform.model import Service


def active_services(
    services: Mapping[str, Service], profiles: str, files: Mapping[Path, ComposeFile]
) -> dict[str, Service]:
    """The services that run, without the key that says when they do.

    Args:
        services: by name.
        profiles: the active ones, with commas between them.
        files: for the line of a message.

    Raises:
        BadInput: for a service that depends on one whose profiles are not active.
    """
    active = {name.strip() for name in profiles.split(",")}
    kept = {name: service for name, service in services.items() if _is_active(service, active)}
    return {name: _among(service, kept, services, files) for name, service in kept.items()}


def _is_active(service: Service, active: Collection[str]) -> bool:
    own = service.compose.get("profiles") or ()
    return not own or "*" in active or bool(set(map(str, own)) & set(active))


def _among(
    service: Service, kept: Collection[str], services: Mapping[str, Service], files: Mapping[Path, ComposeFile]
) -> Service:
    left_out = [name for name in service.depends_on if name in services and name not in kept]
    definition = {key: value for key, value in service.compose.items() if key != "profiles"}
    waits = definition.get("depends_on")
    for name in left_out:
        how = waits.get(name) if isinstance(waits, dict) else None
        if not isinstance(how, dict) or how.get("required") is not False:
            known = ", ".join(map(str, services[name].compose["profiles"]))
            raise BadInput(
                f"{service.name} depends on {name}, whose profile is not active",
                where=files[service.file].where("services", service.name, "depends_on", name),
                remedy=f"set COMPOSE_PROFILES to one of its profiles ({known}), or write required: false",
            )
    depends_on = tuple(name for name in service.depends_on if name not in left_out)
    return service.model_copy(update={"compose": definition, "depends_on": depends_on})
