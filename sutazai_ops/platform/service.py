"""Makes one entry of a Compose file's `services:` into a `Service`.

What stands under `x-sutazai:` is checked strictly, because a misspelt `backup:` that is ignored is a database that
nobody backs up; all else of Compose passes through untouched. What the file does not state and a well-known image gives
away is inferred, and named as inferred.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, ValidationError

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.compose_file import read_compose_file
from sutazai_ops.platform.external import refuse_other_kind
from sutazai_ops.platform.infer import from_address, from_image
from sutazai_ops.platform.interpolate import interpolate
from sutazai_ops.platform.model import Addition, Service
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from sutazai_ops.platform.compose_file import ComposeFile

ADDITION = "x-sutazai"
REFERENCE = "docs/platform/example.yaml shows every key"
_INFERRED = ("tier", "backup", "probes", "description")


def read_service(file: ComposeFile, name: str, variables: Mapping[str, str]) -> Service:
    """Make a `Service` of one entry of `services:`; `variables` are what its image may name.

    Raises:
        BadInput: for whatever is wrong in it; names file, service and key.
    """
    written = file.content["services"][name]
    if not isinstance(written, dict):
        raise BadInput(
            f"the service {name} is not a mapping",
            where=file.where("services", name),
            remedy="write its keys below it, such as `image: postgres:16`",
        )
    addition = _addition(file, name)
    image = _image(file, name, variables)
    known = from_address(addition.external) if addition.external else from_image(image or "")
    stated = {key: getattr(addition, key) for key in addition.model_fields_set}
    taken = {key: getattr(known, key) for key in _INFERRED if known and key not in stated}
    try:
        service = Service(
            name=name,
            phase=file.path.stem,
            file=file.path,
            image=image,
            depends_on=_dependencies(file, name),
            inferred=frozenset(taken),
            compose={key: value for key, value in written.items() if key != ADDITION},
            **taken,
            **stated,
        )
    except ValidationError:
        raise BadInput(
            f"{name!r} is no name for a service: letters, digits and . _ - are, from a letter or a digit on",
            where=file.where("services", name),
        ) from None
    if service.external is not None:
        refuse_other_kind(service, service.external)
    return service


def _addition(file: ComposeFile, name: str) -> Addition:
    written = file.content["services"][name]
    for key in written:
        if key != ADDITION and get_close_matches(str(key), [ADDITION], cutoff=0.8):
            raise BadInput(
                f"{key} is no key of ours", where=file.where("services", name, key), remedy=nearest(key, [ADDITION])
            )
    stated = written.get(ADDITION) or {}
    for key in stated if isinstance(stated, dict) else ():
        if stated[key] is None:
            where = file.where("services", name, ADDITION, key)
            raise BadInput(f"{ADDITION}.{key} has no value", where=where, remedy=f"write one or remove it; {REFERENCE}")
    try:
        addition = Addition.model_validate(stated)
    except ValidationError as error:
        raise _refusal(error.errors()[0], file, name) from None
    external = addition.external
    if external is None or external.password_file is None:
        return addition
    beside = (file.path.parent / external.password_file.expanduser()).absolute()
    return addition.model_copy(update={"external": external.model_copy(update={"password_file": beside})})


def _refusal(error: ErrorDetails, file: ComposeFile, name: str) -> BadInput:
    keys = error["loc"]
    dotted = ".".join(map(str, (ADDITION, *keys)))
    where = file.where("services", name, ADDITION, *keys)
    if error["type"] == "extra_forbidden":
        known = list(_model_at(keys[:-1]).model_fields)
        remedy = nearest(str(keys[-1]), known) or f"known are: {', '.join(known)}"
        return BadInput(f"{dotted} is not a key that we know", where=where, remedy=remedy)
    reason = error["msg"].removeprefix("Value error, ")
    allowed = re.findall(r"'([^']+)'", error.get("ctx", {}).get("expected", ""))
    return BadInput(
        f"{dotted} is wrong: {reason[0].lower()}{reason[1:]}",
        where=where,
        remedy=nearest(str(error["input"]), allowed) or REFERENCE,
    )


def _model_at(keys: Iterable[str | int]) -> type[BaseModel]:
    """The model of what stands at `keys` below the addition."""
    model: type[BaseModel] = Addition
    for key in keys:
        if isinstance(key, str):
            model = next(_models_in(model.model_fields[key].annotation))
    return model


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _image(file: ComposeFile, name: str, variables: Mapping[str, str]) -> str | None:
    file, name = _where_the_image_stands(file, name)
    image = file.content["services"][name].get("image")
    if image is None:
        return None
    where = file.where("services", name, "image")
    if not isinstance(image, str):
        raise BadInput(f"the image of {name} is not text", where=where, remedy="write it as NAME:TAG")
    try:
        return interpolate(image, variables)
    except ValueError as error:
        remedy = "set the variable in the environment, or in the file .env beside it"
        raise BadInput(f"the image of {name} cannot be read: {error}", where=where, remedy=remedy) from None


def _where_the_image_stands(file: ComposeFile, name: str) -> tuple[ComposeFile, str]:
    """Follow `extends` to the service that names the image; a circle ends where it began."""
    seen: set[tuple[Path, str]] = set()
    while (file.path, name) not in seen:
        seen.add((file.path, name))
        written = file.content["services"][name]
        base = written.get("extends")
        base = {"service": base} if isinstance(base, str) else base
        if "image" in written or not isinstance(base, dict):
            break
        base_file = read_compose_file(file.path.parent / str(base["file"])) if "file" in base else file
        services = base_file.content.get("services")
        if not isinstance(services, dict) or not isinstance(services.get(base.get("service")), dict):
            raise BadInput(
                f"{name} extends {base.get('service')}, which {base_file.path.name} does not have",
                where=file.where("services", name, "extends"),
            )
        file, name = base_file, base["service"]
    return file, name


def _dependencies(file: ComposeFile, name: str) -> tuple[str, ...]:
    depends_on = file.content["services"][name].get("depends_on") or []
    if isinstance(depends_on, dict):
        here = file.content["services"]
        return tuple(other for other, how in depends_on.items() if other in here or not _is_optional(how))
    if isinstance(depends_on, list):
        return tuple(map(str, depends_on))
    where = file.where("services", name, "depends_on")
    raise BadInput(f"depends_on of {name} is neither a list nor a mapping", where=where, remedy="write it as a list")


def _is_optional(how: object) -> bool:
    return isinstance(how, dict) and how.get("required") is False
