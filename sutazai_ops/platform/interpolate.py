"""Puts variables into a text as the Compose specification does, because an image is often `postgres:${TAG:-16}`.

The rules are those of https://docs.docker.com/reference/compose-file/interpolation/: `$NAME`, `${NAME}`, and the
operators `-`, `?` and `+` with or without a colon, nested to any depth; `$$` is a dollar sign; a dollar sign before
anything else stays as it is. (string.Template knows no operators, and shell expanders know no `$$`.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = r"[_a-zA-Z][_a-zA-Z0-9]*"
_DOLLAR = re.compile(rf"\$(?:(?P<dollar>\$)|(?P<name>{_NAME})|(?P<brace>\{{))")
_BRACED = re.compile(rf"(?P<name>{_NAME})(?:(?P<operator>:?[-?+])(?P<operand>.*))?", re.DOTALL)


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace every variable in `text`; one that is not set and has no default becomes empty.

    Raises:
        ValueError: for a brace that is not closed or holds no variable, or a variable that `?` asks for and that is
            not set.
    """
    parts = []
    position = 0
    while match := _DOLLAR.search(text, position):
        parts.append(text[position : match.start()])
        position = match.end()
        if match["dollar"]:
            parts.append("$")
        elif match["name"]:
            parts.append(variables.get(match["name"], ""))
        else:
            end = _closing_brace(text, position)
            parts.append(_braced(text[position:end], variables))
            position = end + 1
    return "".join([*parts, text[position:]])


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for position in range(start, len(text)):
        if text.startswith("${", position):
            depth += 1
        elif text[position] == "}":
            depth -= 1
        if depth == 0:
            return position
    msg = f"a brace is not closed in {text!r}"
    raise ValueError(msg)


def _braced(expression: str, variables: Mapping[str, str]) -> str:
    match = _BRACED.fullmatch(expression)
    if match is None:
        msg = f"{'${' + expression + '}'!r} is not a variable that Compose can replace"
        raise ValueError(msg)
    name, operator, operand = match["name"], match["operator"] or "", match["operand"] or ""
    value = variables.get(name)
    # With a colon, an empty variable counts as one that is not set.
    is_set = bool(value) if operator.startswith(":") else value is not None
    match operator.removeprefix(":"):
        case "-" if not is_set:
            return interpolate(operand, variables)
        case "?" if not is_set:
            msg = f"the variable {name} is not set: {interpolate(operand, variables) or 'it is required'}"
            raise ValueError(msg)
        case "+":
            return interpolate(operand, variables) if is_set else ""
    return value or ""
