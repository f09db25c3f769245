"""Puts somebody else's server in the place of a service: the settings' `external` over what the files say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.infer import from_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.platform.model import External, Platform, Service


def with_external(platform: Platform, external: Mapping[str, External]) -> Platform:
    """The platform in which each service that `external` names is reached at its address and run by nobody here.

    Raises:
        BadInput: for a name that the platform does not have, or an address of another kind of server than its backup.
    """
    replaced = {name: _at(platform.service(name), address) for name, address in external.items()}
    return platform.model_copy(update={"services": {**platform.services, **replaced}})


def _at(service: Service, external: External) -> Service:
    refuse_other_kind(service, external)
    if external.password_file is not None:
        absolute = external.password_file.expanduser().absolute()
        external = external.model_copy(update={"password_file": absolute})
    if service.backup is not None:
        return service.model_copy(update={"external": external})
    known = from_address(external)
    taken = {"tier": known.tier, "backup": known.backup, "probes": service.probes or known.probes}
    return service.model_copy(update={**taken, "external": external, "inferred": service.inferred | {"tier", "backup"}})


def refuse_other_kind(service: Service, external: External) -> None:
    """Refuse an address at which another kind of server answers than the one that is backed up."""
    if service.backup is not None and service.is_backed_up and service.backup.kind != external.kind:
        raise BadInput(
            f"{service.name} is backed up as {service.backup.kind}, and its external address is one of {external.kind}",
            where=f"{service.file}, service {service.name}",
            remedy="correct the address, or `backup` below x-sutazai",
        )
