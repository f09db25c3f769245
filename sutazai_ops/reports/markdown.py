"""Makes Markdown of a template and a value, with every text in it escaped: a name is never a heading, a link or a cell.

For messages and tickets, where a page of HTML cannot go. GitHub's flavour (github.github.com/gfm), since it has tables.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sutazai_ops.reports import figures
from sutazai_ops.reports.page import FIGURES, clean, sentence, web_address

_PACKAGE = Path(__file__).parents[1]
_STARTS = re.compile(r"^(\d*)([-+=.)](?:\s|$))")
"""What begins a list or underlines a heading."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")


def render(template: str, **values: object) -> str:
    """The text that a template makes of the values; the same values give the same text."""
    return _environment().get_template(template).render(values)


def escape(text: str) -> str:
    r"""The text as Markdown that shows just that, in one line.

    >>> escape("a|b *c*\n# d & e")
    'a\\|b \\*c\\* \\# d &amp; e'
    """
    line = " ".join(clean(text).replace("&", "&amp;").split())
    return _STARTS.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line))


def code(text: str) -> Markup:
    """The text as a block of code, which nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}\n{clean(text)}\n{fence}")  # noqa: S704  (not HTML: only told apart from what is escaped)


def link(words: str, address: str) -> Markup:
    """A link where the address is one, else the words alone."""
    found = web_address(address)
    target = f"](<{found.replace('>', '%3E').replace('<', '%3C')}>)" if found and not re.search(r"\s", found) else ""
    return Markup(f"[{escape(words)}{target}" if target else escape(words))  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701  (Markdown: `_finalize` escapes in the place of autoescape)
        loader=FileSystemLoader(_PACKAGE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters |= {name: getattr(figures, name) for name in FIGURES}
    environment.filters |= {"sentence": sentence, "code": code, "link": link}
    return environment


def _finalize(value: object) -> object:
    if value is None:
        msg = "a template shows a value that is not known; it has to say so in words"
        raise TypeError(msg)
    return escape(value) if isinstance(value, str) and not isinstance(value, Markup) else value
