"""What a cache of answers would have saved, by a log of questions: measured, and nothing where there is no log.

The log is one JSON object a line, written by the application: `at` (seconds since 1970), `model`, `key` (a hash of the
prompt and of all that changes the answer, never the prompt itself), `seconds` (how long the answer took; may be left
out). A question is a hit where the same one was answered by the same model within the time that answers are kept. How
much memory the cache takes is not reckoned with: it holds all that is asked within that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, ValidationError

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FEWEST = 100
"""Questions to a model below which nothing is said."""
WORTH_IT = 0.1
"""The share of hits from which on a cache is advised."""


class Question(Model):
    """One line of the log."""

    model_config = ConfigDict(extra="ignore")

    at: Annotated[float, Field(allow_inf_nan=False, ge=0)]
    model: str
    key: Annotated[str, Field(min_length=1)]
    seconds: Annotated[float, Field(allow_inf_nan=False, ge=0)] | None = None


@dataclass(frozen=True, slots=True)
class Potential:
    """What a cache would have done for one model."""

    model: str
    questions: int
    hits: int
    saved_seconds: float | None
    """The time of the answers that were hits; None where the log does not tell any."""
    sentence: str

    @property
    def share(self) -> float | None:
        """Of hits; None where too few questions were asked."""
        return self.hits / self.questions if self.questions >= FEWEST else None


def potential(questions: Iterable[Question], kept_seconds: float) -> list[Potential]:
    """What a cache would have saved by model, if it kept each answer for so many seconds from when it was given."""
    by_model: dict[str, list[Question]] = {}
    for one in sorted(questions, key=lambda one: one.at):
        by_model.setdefault(one.model, []).append(one)
    return [_of_model(model, asked, kept_seconds) for model, asked in sorted(by_model.items())]


def _of_model(model: str, asked: Sequence[Question], kept_seconds: float) -> Potential:
    answered: dict[str, float] = {}
    hits = []
    for one in asked:
        if one.key in answered and one.at - answered[one.key] <= kept_seconds:
            hits.append(one)
        else:
            answered[one.key] = one.at
    told = [one.seconds for one in hits if one.seconds is not None]
    return Potential(model, len(asked), len(hits), sum(told) if told else None, _sentence(len(hits), len(asked)))


def _sentence(hits: int, asked: int) -> str:
    if asked < FEWEST:
        return f"unknown: {asked} questions, and fewer than {FEWEST} say nothing"
    share = f"{hits / asked:.1%}".replace("%", " %")
    return f"{share} of {asked:,} questions were asked before: " + (
        "a cache is worth it" if hits >= WORTH_IT * asked else "a cache is not worth it"
    )


def read_log(path: Path) -> list[Question]:
    """The questions of a log.

    Raises:
        BadInput: where it cannot be read, or a line is none of a log; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else "it is no text"
        raise BadInput(f"{path.name} cannot be read: {why[0].lower()}{why[1:]}", where=str(path)) from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(Question.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                what = ".".join(map(str, first["loc"])) or "the line"
                raise BadInput(
                    f"{what} is wrong: {first['msg'][0].lower()}{first['msg'][1:]}",
                    where=f"{path}:{number}",
                    remedy='write {"at": 1790000000.0, "model": "llama3.2:3b", "key": "9f86d0…", "seconds": 2.1}',
                ) from None
    return found
