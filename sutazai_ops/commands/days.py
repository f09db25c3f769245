"""The days that a person names at the terminal: `--from` and `--to`, UTC days, both among them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

import typer

from sutazai_ops.errors import BadInput

DAY = timedelta(days=1)
WEEK_DAYS = 7
From = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="The first day, UTC: 2026-10-01.")
]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="The last day, UTC.")]


def named_days(from_: datetime | None, to: datetime | None, today: date) -> list[date]:
    """Each day from one to the other, a week until the last where only that is said, and until today.

    Raises:
        BadInput: where the first comes after the last.
    """
    last = to.date() if to else today
    first = from_.date() if from_ else last - (WEEK_DAYS - 1) * DAY
    if last < first:
        raise BadInput(f"there is no day from {first} to {last}", remedy="give the earlier one as --from")
    return [first + DAY * number for number in range((last - first).days + 1)]
