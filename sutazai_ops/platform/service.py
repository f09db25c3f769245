"""Makes one entry of a Compose file's `services:` into a `Service`.

What stands under `x-sutazai:` is checked strictly, because a misspelt `backup:` that is ignored is a database that
nobody backs up; all else of Compose passes through untouched. What the file does not state and a well-known image gives
away is inferred, and named as inferred.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.external import refuse_other_kind
from sutazai_ops.platform.infer import from_address, from_image
from sutazai_ops.platform.merge import CannotMerge, merge_service, without_tags
from sutazai_ops.platform.model import Addition, Overlay, Service
from sutazai_ops.platform.resolve import resolve_overlay, resolve_service
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    from sutazai_ops.platform.compose_file import ComposeFile

ADDITION = "x-sutazai"
REFERENCE = "docs/platform/example.yaml shows every key"
_INFERRED = ("tier", "backup", "probes", "description")


def read_service(file: ComposeFile, name: str, variables: Mapping[str, str]) -> Service:
    """Make a `Service` of one entry of `services:`; `variables` are what its values may name.

    Raises:
        BadInput: for whatever is wrong in it; names file, service and key.
    """
    definition = resolve_service(file, name, variables)
    addition = _addition(file, name, definition)
    image = _image(file, name, definition)
    known = from_address(addition.external) if addition.external else from_image(image or "", definition.get("command"))
    stated = {key: getattr(addition, key) for key in addition.model_fields_set}
    taken = {key: value for key in _INFERRED if key not in stated and (value := getattr(known, key, None)) is not None}
    try:
        service = Service(
            name=name,
            phase=file.path.stem,
            file=file.path,
            image=image,
            depends_on=tuple(dict.fromkeys([*dependencies(file, name, definition), *addition.needs])),
            inferred=frozenset(taken),
            compose={key: value for key, value in definition.items() if key != ADDITION},
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


def read_overlay(file: ComposeFile, name: str, variables: Mapping[str, str], over: Service) -> Overlay:
    """Make an `Overlay` of one entry of `services:` that is merged over the service `over`.

    Raises:
        BadInput: for whatever is wrong in it; names file, service and key.
    """
    definition = resolve_overlay(file, name, variables)
    stated = set(_addition(file, name, definition).model_fields_set) - {"overlays", "description"}
    if stated:
        key = min(stated)
        raise BadInput(
            f"an overlay cannot change {ADDITION}.{key}",
            where=file.where("services", name, ADDITION, key),
            remedy=f"write it in {over.file.name}, where {name} is born",
        )
    addition = definition.pop(ADDITION)
    try:
        merge_service(over.compose, definition)
    except CannotMerge as error:
        raise BadInput(
            f"{name} cannot be merged over {over.file.name}: {error}",
            where=file.where("services", name, *error.path),
            remedy="write it in the same form in both places",
        ) from None
    return Overlay(
        phase=file.path.stem,
        file=file.path,
        service=name,
        description=addition.get("description", ""),
        definition=definition,
    )


def overlaid_phase(file: ComposeFile, name: str) -> str | None:
    """The phase whose service of that name an entry of `services:` is merged over; None for a service of its own."""
    phase = None
    for layer in file.layers_of(name):
        written = without_tags(layer.content["services"][name])
        stated = written.get(ADDITION) if isinstance(written, dict) else None
        phase = (stated.get("overlays") if isinstance(stated, dict) else None) or phase
    return None if phase is None else str(phase)


@cache
def _is_misspelt(key: str) -> bool:
    # The same few keys stand in every service.
    return bool(get_close_matches(key, [ADDITION], cutoff=0.8))


def _addition(file: ComposeFile, name: str, definition: Mapping[str, Any]) -> Addition:
    for key in definition:
        if key != ADDITION and _is_misspelt(str(key)):
            raise BadInput(
                f"{key} is no key of ours", where=file.where("services", name, key), remedy=nearest(key, [ADDITION])
            )
    stated = definition.get(ADDITION) or {}
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


def _image(file: ComposeFile, name: str, definition: Mapping[str, Any]) -> str | None:
    image = definition.get("image")
    if image is None or isinstance(image, str):
        return image
    raise BadInput(
        f"the image of {name} is not text",
        where=file.where("services", name, "image"),
        remedy="write it as NAME:TAG",
    )


def dependencies(file: ComposeFile, name: str, definition: Mapping[str, Any]) -> tuple[str, ...]:
    """What a definition says that its service cannot run without, in the file's order.

    Raises:
        BadInput: where `depends_on` is neither a list nor a mapping.
    """
    depends_on = definition.get("depends_on") or {}
    if not isinstance(depends_on, dict):
        where = file.where("services", name, "depends_on")
        raise BadInput(
            f"depends_on of {name} is neither a list nor a mapping", where=where, remedy="write it as a list"
        )
    here = file.services
    stated = [other for other, how in depends_on.items() if other in here or not _is_optional(how)]
    return tuple(dict.fromkeys([*stated, *_shared(definition)]))


def _is_optional(how: object) -> bool:
    return isinstance(how, dict) and how.get("required") is False


def _shared(definition: Mapping[str, Any]) -> Iterator[str]:
    """The services whose network, processes or volumes it shares: Compose starts those first, too."""
    for key in ("network_mode", "ipc", "pid"):
        kind, _, other = str(definition.get(key) or "").partition(":")
        if kind == "service" and other:
            yield other
    for key in ("links", "volumes_from"):
        for entry in definition.get(key) or ():
            if not str(entry).startswith("container:"):
                yield str(entry).partition(":")[0]
