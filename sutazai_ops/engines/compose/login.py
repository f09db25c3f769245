"""As whom a service that runs in a container is spoken to: what its file says, or what its image was started with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from sutazai_ops.engines.base import Account
from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from sutazai_ops.platform import Service


def account_of(service: Service, container: dict[str, Any]) -> Account:
    """User and password of a service, by its `x-sutazai.login` or else by the variables of PostgreSQL's image.

    Raises:
        BadInput: when the file with the password cannot be read.
    """
    environment = dict(entry.partition("=")[::2] for entry in container["Config"].get("Env") or ())
    is_postgres = service.backup is not None and service.backup.kind == "postgres"
    user = environment.get("POSTGRES_USER", "postgres") if is_postgres else None
    if service.login:
        user = service.login.user or user
    mounted = {mount["Destination"]: mount.get("Source", "") for mount in container.get("Mounts") or ()}
    if service.login and service.login.secret:
        return Account(user, _read(service, mounted.get(f"/run/secrets/{service.login.secret}", "")))
    if file := environment.get("POSTGRES_PASSWORD_FILE"):
        return Account(user, _read(service, mounted.get(file, "")))
    plain = environment.get("POSTGRES_PASSWORD") if is_postgres else None
    return Account(user, SecretStr(plain) if plain else None)


def _read(service: Service, file: str) -> SecretStr:
    try:
        return SecretStr(Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
    except OSError as error:
        raise BadInput(
            f"the password of {service.name} cannot be read: {(error.strerror or str(error)).lower()}",
            where=file or str(service.file),
            remedy="see x-sutazai.login of the service, and the secrets of its file",
        ) from None
