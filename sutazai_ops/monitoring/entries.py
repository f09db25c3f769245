"""Named entries of a YAML file, with those of a person's own file laid over them by name and key by key.

Each entry knows where each of its keys was said last, so that what is wrong with it is told with file and line.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from sutazai_ops.errors import BadInput
from sutazai_ops.words import nearest
from sutazai_ops.yaml_file import SaysNothing, read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.model import Model
    from sutazai_ops.yaml_file import YamlFile

    M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as all files together say it."""

    name: str
    content: Mapping[str, Any]
    files: tuple[YamlFile, ...]
    """Those that say something of it, the last word first."""

    def where(self, *keys: str | int) -> str:
        """The place of a key: where it was said last, or of the entry where no file says it."""
        saying = (file for file in self.files if keys and keys[0] in file.content[self.name])
        return next(saying, self.files[0]).where(self.name, *keys)

    def refuse(self, what: str, *keys: str | int, remedy: str = "") -> BadInput:
        """The error of a key of this entry."""
        return BadInput(what, where=self.where(*keys), remedy=remedy)

    def as_model(self, model: type[M], kind: str) -> M:
        """The entry as a value; `kind` is what a person calls it.

        Raises:
            BadInput: for a key that is not known, is missing, or has a wrong value; names the line.
        """
        if "name" in self.content:
            raise self.refuse(f"name is no key of a {kind}: its name is the key above", "name")
        try:
            return model.model_validate({**self.content, "name": self.name})
        except ValidationError as error:
            wrong = first_wrong(error, model, kind, self.name)
            raise self.refuse(wrong.what, *wrong.keys, remedy=wrong.remedy) from None


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a value that a person wrote, and at which of its keys."""

    what: str
    keys: Sequence[str | int]
    remedy: str = ""


def first_wrong(error: ValidationError, model: type[Model], kind: str, name: str = "") -> Wrong:
    """Say the first thing that is wrong in a person's words; `kind` is what they call a value of this model."""
    errors = error.errors()
    # A key that nobody knows, before the required one that is missing because it was misspelt.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    keys = [part for part in first["loc"] if part not in {"[key]", "tuple", "float"}]
    path, whole = ".".join(map(str, keys)), f"{kind} {name}".strip()
    if first["type"] == "extra_forbidden":
        known = list(_keys_beside(model, keys))
        return Wrong(
            f"{path} is no key of a {kind}", keys, nearest(str(keys[-1]), known) or f"known are: {', '.join(known)}"
        )
    if first["type"] == "missing":
        return Wrong(f"the {whole} has no {path}", keys[:-1], f"add {path}:")
    reason = first["msg"].removeprefix("Value error, ")
    subject = f"{path} of the {whole}" if path else f"the {whole}"
    if first["type"] in {"model_type", "dict_type", "mapping_type"}:
        return Wrong(f"{subject} holds no keys", keys)
    if first["type"] == "too_short":
        return Wrong(f"{subject} is empty", keys)
    if first["type"] in {"tuple_type", "list_type"}:
        return Wrong(f"{subject} is no list", keys, "write [] for an empty one")
    return Wrong(f"{subject} is wrong: {reason[0].lower()}{reason[1:]}", keys)


def read_entries(packaged: Path, over: Path | None, page: str = "docs/signals.md") -> dict[str, Entry]:
    """The entries of `packaged` with those of `over` laid over them; one that is null there is taken away.

    `page` shows how one is written.

    Raises:
        BadInput: where a file cannot be read, or an entry is no mapping, or null and not there to be taken away.
    """
    files = [file for path in (packaged, over) if path is not None for file in _read(path, page)]
    entries: dict[str, Entry] = {}
    for file in files:
        for name, content in file.content.items():
            if content is None:
                _take_away(name, file, entries)
            elif not isinstance(name, str):
                raise BadInput(f"{name} is no name", where=file.where(name), remedy=f"see {page}")
            elif isinstance(content, dict):
                under = entries.get(name)
                merged = {**under.content, **content} if under else content
                entries[name] = Entry(name, merged, (file, *(under.files if under else ())))
            else:
                raise BadInput(f"{name} holds no keys", where=file.where(name), remedy=f"see {page}")
    return entries


def taken_away(over: Path | None, page: str = "docs/signals.md") -> set[str]:
    """The names that a file takes away; none where there is no file."""
    files = _read(over, page) if over is not None else ()
    return {name for file in files for name, content in file.content.items() if content is None}


def _read(path: Path, page: str) -> Iterator[YamlFile]:
    # Whoever takes the last entry out, or makes a comment of it, says that there is none.
    with suppress(SaysNothing):
        yield read_yaml_file(path, f"{page} shows one")


def said_by_the_last(entry: Entry, keys: Sequence[str]) -> list[str]:
    """Which of these keys the file says that speaks last of any of them."""
    spoken = ([key for key in keys if key in file.content[entry.name]] for file in entry.files)
    return next((found for found in spoken if found), [])


def _take_away(name: str, file: YamlFile, entries: dict[str, Entry]) -> None:
    if name not in entries:
        remedy = nearest(name, entries) or "remove the line"
        raise BadInput(f"there is no {name} to take away", where=file.where(name), remedy=remedy)
    del entries[name]


def _keys_beside(model: type[Model], keys: list[str | int]) -> Iterator[str]:
    """The keys that stand where the last of `keys` does."""
    from pydantic import BaseModel

    fields: Mapping[str, Any] = model.model_fields
    for key in keys[:-1]:
        field = next((f for name, f in fields.items() if key in {name, f.alias}), None)
        below = _model_in(field.annotation, BaseModel) if field else None
        if below is not None:
            fields = below.model_fields
    for name, field in fields.items():
        if name != "name":
            yield field.alias or name


def _model_in(annotation: Any, base: type) -> Any:  # noqa: ANN401  (an annotation may be anything)
    from typing import get_args

    if isinstance(annotation, type) and issubclass(annotation, base):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part, base))), None)
