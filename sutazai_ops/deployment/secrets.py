"""The secrets of a platform: which files hold them, which are still to be generated, and which version each is.

A secret is a top-level `secrets:` entry with a `file:`. One with `x-sutazai: {generate: TEMPLATE}` is generated the
first time it is needed, and never overwritten. Their folder is 0700 and the files in it 0444: Compose mounts a secret
as the file is, ignoring `uid` and `mode`, so that a container which does not run as root reads only what everybody may
read; other users of the host get no further than the folder. No value ever stands in an error, a log or a repr.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets as random
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from sutazai_ops.errors import BadInput, OpsError
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sutazai_ops.platform import Phase, Platform

VERSION_KEY = ".version-key"
"""The file in the secrets' folder whose key makes versions of secrets."""
VERSION_DIGITS = 12
KEY_BYTES = 32
NOT_YET = "not generated yet"
"""The version of a secret that a deployment will generate."""

_RANDOM: Mapping[str, Callable[[int], str]] = {"hex": random.token_hex, "base64url": random.token_urlsafe}
"""From the word in a template to what makes so many random bytes into text; base64url is unpadded."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret: where it is, never what it is."""

    name: str
    file: Path
    template: str | None
    """What it is generated from; None for one that a person puts there."""
    where: str
    """The file that declares it."""


def secrets_of(platform: Platform, names: Collection[str] | None = None) -> dict[str, Secret]:
    """The secrets with a file that the platform declares, by name; only `names`, and what those are made of.

    Raises:
        BadInput: for a name that two phases use for two secrets, or a template that is wrong or goes in a circle.
    """
    declared: dict[str, Secret] = {}
    for phase in platform.phases:
        for name, value in phase.top.get("secrets", {}).items():
            if value.get("file"):
                secret = _secret(phase, name, value)
                _refuse_two_of_a_name(secret, declared.get(name))
                declared.setdefault(name, secret)
    order = _in_order(declared)
    if names is None:
        return {name: declared[name] for name in order}
    wanted, waiting = set(), [name for name in names if name in declared]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(_references(declared[name]))
    return {name: declared[name] for name in order if name in wanted}


def to_generate(secrets: Mapping[str, Secret]) -> tuple[Secret, ...]:
    """The secrets that are not there yet, those first that others are made of.

    Raises:
        BadInput: for one that is not there and that no template makes; names the file and the secret.
    """
    missing = [secret for secret in secrets.values() if not secret.file.exists()]
    for secret in missing:
        if secret.template is None:
            raise BadInput(
                f"the secret {secret.name} is not there: {secret.file}",
                where=secret.where,
                remedy="put it there, or let it be generated: x-sutazai: {generate: '{hex:32}'}",
            )
    return tuple(missing)


def generate(missing: Sequence[Secret], secrets: Mapping[str, Secret], folder: Path) -> None:
    """Generate what `to_generate` found, and the key of versions; what has come there meanwhile stays as it is.

    Args:
        missing: those first that others are made of.
        secrets: all that their templates may name.
        folder: of this installation's secrets; the key is kept there.

    Raises:
        OpsError: when a file cannot be written.
    """
    if not (folder / VERSION_KEY).exists():
        _write_once(folder / VERSION_KEY, random.token_hex(KEY_BYTES), 0o600)
    for secret in missing:
        parts = []
        for literal, field, count, _ in Formatter().parse(secret.template or ""):
            parts.append(literal)
            if field is None:
                continue
            if field in _RANDOM:
                parts.append(_RANDOM[field](int(count or KEY_BYTES)))
            else:
                parts.append(_read(secrets[field]).decode().rstrip("\r\n"))
        _write_once(secret.file, "".join(parts), 0o444)


def versions(secrets: Mapping[str, Secret], folder: Path) -> dict[str, str]:
    """A short text for each secret that changes with it and tells nothing of it.

    It is a keyed hash: without the key, a label could be tried against a list of passwords.

    Raises:
        OpsError: when one that is there cannot be read.
    """
    key_file = folder / VERSION_KEY
    try:
        key = key_file.read_bytes() if key_file.exists() else b""
    except OSError as error:
        raise OpsError(f"cannot read the key of secret versions: {error.strerror}", where=str(key_file)) from None
    return {
        name: hmac.new(key, _read(secret), hashlib.sha256).hexdigest()[:VERSION_DIGITS]
        if key and secret.file.exists()
        else NOT_YET
        for name, secret in secrets.items()
    }


def _secret(phase: Phase, name: str, value: Mapping[str, Any]) -> Secret:
    where = f"{phase.file}, secret {name}"
    addition = value.get("x-sutazai") or {}
    unknown = [key for key in addition if key != "generate"] if isinstance(addition, dict) else ["x-sutazai"]
    template = None if unknown else addition.get("generate")
    if unknown or not isinstance(template, str | None):
        raise BadInput(
            f"x-sutazai of the secret {name} is wrong",
            where=where,
            remedy=nearest(str(unknown[0]), ["generate"]) if unknown else "write generate: '{hex:32}'",
        )
    return Secret(name, Path(value["file"]), template, where)


def _refuse_two_of_a_name(secret: Secret, other: Secret | None) -> None:
    if other is not None and (other.file != secret.file or (other.template or "") != (secret.template or "")):
        raise BadInput(
            f"two phases mean different secrets by the name {secret.name}",
            where=f"{secret.where}; {other.where}",
            remedy="give them one file and one template, or two names",
        )


def _in_order(declared: Mapping[str, Secret]) -> list[str]:
    """The names, each after those that it is made of."""
    made_of = {name: _references(secret) for name, secret in declared.items()}
    for name, others in made_of.items():
        for other in others:
            if other not in declared:
                raise BadInput(
                    f"the secret {name} is made of {other}, which is no secret of the platform",
                    where=declared[name].where,
                    remedy=nearest(other, [*declared, *_RANDOM]) or "fields are {hex:N}, {base64url:N} and {SECRET}",
                )
    try:
        return list(TopologicalSorter(made_of).static_order())
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        raise BadInput(
            f"secrets are made of each other in a circle: {' -> '.join(circle)}",
            where=declared[circle[0]].where,
            remedy="let one of them be random: '{hex:32}'",
        ) from None


def _references(secret: Secret) -> list[str]:
    """The other secrets that a template names; raises `BadInput` for a template that is none."""
    references = []
    try:
        for _, field, count, conversion in Formatter().parse(secret.template or ""):
            if field is None:
                continue
            if field not in _RANDOM and not count and not conversion and field:
                references.append(field)
            elif field not in _RANDOM or conversion or int(count or 0) < 1:
                raise ValueError(field)  # noqa: TRY301
    except ValueError:
        raise BadInput(
            f"what the secret {secret.name} is generated from is no template",
            where=secret.where,
            remedy="fields are {hex:N} and {base64url:N}, of N random bytes, and {SECRET}; a brace is written twice",
        ) from None
    return references


def _read(secret: Secret) -> bytes:
    try:
        return secret.file.read_bytes()
    except OSError as error:
        raise OpsError(
            f"cannot read the secret {secret.name}: {error.strerror}",
            where=str(secret.file),
            remedy="let this user read it",
        ) from None


def _write_once(file: Path, text: str, mode: int) -> None:
    """Write a file whole, unless it is there by then."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.parent.stat().st_mode & 0o077:
            file.parent.chmod(0o700)
        # In a container, one that was killed had the same process number.
        fresh.unlink(missing_ok=True)
        try:
            _write(fresh, text, mode)
            # A link fails where the file has come there meanwhile; a rename would replace it.
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise OpsError(
            f"cannot write the secret {file.name}: {error.strerror}",
            where=str(file),
            remedy="let this user write there, and deploy again",
        ) from None


def _write(file: Path, text: str, mode: int) -> None:
    # Closed to others from the first moment on, whatever it is opened to in the end.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(text.encode())
        os.fchmod(written.fileno(), mode)
        written.flush()
        os.fsync(written.fileno())
