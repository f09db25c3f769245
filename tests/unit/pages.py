"""Pages as a browser and a reader see them."""

from __future__ import annotations

import html5lib

XHTML = "{http://www.w3.org/1999/xhtml}"


def tree_of(html: str):
    """Parsed as a browser parses it; raises for anything that HTML calls a mistake."""
    return html5lib.HTMLParser(strict=True).parse(html)


def words_of(html: str) -> str:
    """What is read on it, in one line."""
    return " ".join("".join(_texts(tree_of(html).find(f"{XHTML}body"))).split())


def _texts(node):
    if node.tag not in {f"{XHTML}style", f"{XHTML}script"}:
        yield node.text or ""
        for child in node:
            yield from _texts(child)
    yield node.tail or ""
