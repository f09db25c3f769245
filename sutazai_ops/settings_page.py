"""Makes docs/settings.md out of the settings themselves, so that the page cannot say anything else than the program.

What a setting means stands below it in the source, and is read here alone: if pydantic did it
(`use_attribute_docstrings`), every command would at its start, which was a fortieth of `status`.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from sutazai_ops.settings import PACKAGED_PLATFORM, PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

HEAD = """# Settings

    sutazai-ops config show     # every setting, its value, and where that came from
    sutazai-ops config check    # read the settings and the platform's files, touch no server

A value comes from the environment, else from `sutazai.toml` in the working folder (or the file that `SUTAZAI_CONFIG`
names), else it is the default. A key that nobody knows is refused by name. No setting holds a secret: passwords are
named by the file that holds them. In a variable, a list is JSON: `SUTAZAI_BACKUP__SERVICES='["postgres"]'`.

```toml
environment = "production"          # schedules run by themselves
timezone = "Europe/Berlin"

[backup]
keep_within_days = 14

[external.postgres]                 # the service `postgres` is somebody else's server
address = "postgresql://backup@db.example:5432"
password_file = "/etc/sutazai/postgres_password"
```

This page is made by `sutazai-ops config reference`.

| key | variable | default | meaning |
|---|---|---|---|
"""


def settings_page() -> str:
    """The page as Markdown, one row a setting."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows(Settings))


def _rows(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, str, str, str]]:
    meanings = _meanings(model)
    for name, field in model.model_fields.items():
        key = before + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(field.annotation, f"{key}.")
            continue
        yield f"`{key}`", f"`{PREFIX}{key.replace('.', '__').upper()}`", _default(field), meanings.get(name, "")
        for below in get_args(field.annotation):
            # A mapping by name: one row for each key of what a name stands for.
            if isinstance(below, type) and issubclass(below, BaseModel):
                yield from _rows(below, f"{key}.<NAME>.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == {}:
        return ""
    return "the packaged one" if value == PACKAGED_PLATFORM else f"`{value}`"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  (of which it is the source)
    meanings = {}
    for field, below in pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(str(words))):
                meanings[name] = " ".join(words.split())
    return meanings
