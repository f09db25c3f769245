"""docs/settings.md, made from the settings' own types, bounds and descriptions so that it cannot fall behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sutazai_ops.settings import PACKAGED_PLATFORM, PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD = """# Settings

`sutazai-ops config show` shows every setting as it is now and where it came from; `sutazai-ops config check` reads them
and every file of the platform. This page is printed by `sutazai-ops config reference`.

A value comes from the environment, else from `sutazai.toml` in the working folder (or the file that `SUTAZAI_CONFIG`
names), else it is the default. A variable that is empty counts as not set. A key that is not known is refused. Relative
paths start at the working folder.

```toml
# sutazai.toml
environment = "production"
timezone = "Europe/Berlin"

[backup]
store = "/srv/backups"
keep_within_days = 14

# A database that already exists: it is backed up, and never started or stopped.
[external.postgres]
address = "postgresql://backup@db.example:5432"
password_file = "/etc/sutazai/postgres-password"
```

In the environment, levels are parted by two underscores: `SUTAZAI_BACKUP__KEEP_WITHIN_DAYS=14`. A level whose name a
variable cannot hold, such as a service with a dash, is written as JSON:
`SUTAZAI_EXTERNAL='{"orders-db": {"address": "postgresql://backup@db.example:5432"}}'`.

| setting | variable | value | default | meaning |
|---|---|---|---|---|
"""


def settings_page() -> str:
    """The whole page, as Markdown."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows(Settings.model_json_schema()))


def _rows(schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key, field in _fields(schema, schema):
        variable = PREFIX + key.replace(".", "__").replace("NAME", "name").upper()
        yield (
            f"`{key}`",
            f"`{variable}`",
            _value(field),
            _default(field),
            field.get("description", "").replace("\n", " "),
        )


def _fields(schema: Mapping[str, Any], model: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted key; `NAME` stands for a key that an operator chooses."""
    for name, field in model["properties"].items():
        if "$ref" in field:
            yield from _fields(schema, _referred(schema, field), f"{before}{name}.")
        elif "additionalProperties" in field or "patternProperties" in field:
            below = field.get("additionalProperties") or next(iter(field["patternProperties"].values()))
            yield from _fields(schema, _referred(schema, below), f"{before}{name}.NAME.")
        else:
            yield before + name, field


def _referred(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Mapping[str, Any]:
    referred: Mapping[str, Any] = schema["$defs"][field["$ref"].rpartition("/")[2]]
    return referred


def _value(field: Mapping[str, Any]) -> str:
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    kind = kinds[0]
    if "enum" in kind or "const" in kind:
        return ", ".join(f"`{choice}`" for choice in kind.get("enum", [kind.get("const")]))
    bounds = [
        f"{word} {kind[bound]}"
        for bound, word in (("minimum", "from"), ("maximum", "to"), ("exclusiveMaximum", "below"))
        if bound in kind
    ]
    words = {"integer": "whole number", "number": "number", "array": "list", "string": "text"}
    word = "path" if kind.get("format") in {"path", "file-path"} else words[kind["type"]]
    return " ".join([word, *bounds])


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default is None:
        return ""
    if default == str(PACKAGED_PLATFORM):
        return "the platform that this program brings"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
