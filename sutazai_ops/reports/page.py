"""Makes a page of a template and a value. Every text in it is escaped, wherever it comes from.

Templates lie beside the code that fills them: `slo/report.html.jinja` belongs to `slo/`. A name or a message may hold
anything, so besides being escaped it loses the characters that a page cannot hold or that would turn the text around
them (control characters, and Unicode's marks of direction), and an address is a link only where a browser would do no
more than go there.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sutazai_ops.reports import figures
from sutazai_ops.reports.look import DARK, LIGHT, Tone

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE = Path(__file__).parents[1]
# What HTML and XML 1.0 refuse or replace, and what would print a text backwards (Unicode annex 9, 2).
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=%|(?:ms|s|min|h|d)\b)")
FIGURES = (
    *("percent", "promised", "left", "whole_percent", "minutes", "of_minutes", "seconds", "count"),
    *("day", "moment", "exact", "exact_span", "span", "days", "rfc3339"),
)


def render(template: str, **values: object) -> str:
    """The page that a template makes of the values; the same values give the same text."""
    return _environment().get_template(template).render(values)


def clean(text: str) -> str:
    """The text without what a page cannot hold.

    >>> clean("a\\x00b\\u202ec")
    'a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c'
    """
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def web_address(link: str) -> str:
    """The address, where a browser may be sent to it; nothing for any other text.

    >>> [web_address(one) for one in ("https://example.org/a", "javascript:alert(1)", "releases/41", "http://[")]
    ['https://example.org/a', '', '', '']
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    return link if parts.scheme in {"http", "https"} and parts.netloc else ""


def fragment(name: str) -> str:
    """A name as the part of an address after the hash, and as the id of the place that it leads to.

    >>> fragment("urn:uuid:5bd0a1e6")
    'urn-uuid-5bd0a1e6'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "place"


def sentence(text: str) -> str:
    """With a capital at its beginning, where it stands alone: "missed, low coverage" becomes "Missed, low coverage"."""
    return text[:1].upper() + text[1:]


def tied(text: str) -> str:
    """With each number tied to its unit, so that no line ends between them."""
    return _NUMBER_AND_UNIT.sub("\N{NO-BREAK SPACE}", text)


def source_hash(text: str) -> str:
    """What a Content-Security-Policy calls a script or a style sheet that stands in the page itself (W3C CSP3, 2.3)."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {name: _tied(getattr(figures, name)) for name in FIGURES}
    environment.filters |= {
        "web": web_address,
        "sentence": sentence,
        "tied": tied,
        "fragment": fragment,
        "source_hash": source_hash,
    }
    environment.globals |= {"LIGHT": LIGHT, "DARK": DARK, "Tone": Tone}
    return environment


def _tied(words: Callable[..., str]) -> Callable[..., str]:
    return lambda *given: tied(words(*given))


def _finalize(value: object) -> object:
    if value is None:
        msg = "a template shows a value that is not known; it has to say so in words"
        raise TypeError(msg)
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
