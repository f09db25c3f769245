"""Small words that several messages share."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Ask back with the known word most like `word`, or return an empty string where none is near.

    Two words are near from the `likeness` on, which is 1 where they are the same.

    >>> nearest("postgers", ["postgres", "redis"])
    "did you mean 'postgres'?"
    """
    matches = get_close_matches(word, list(known), n=1, cutoff=likeness)
    return f"did you mean {matches[0]!r}?" if matches else ""
