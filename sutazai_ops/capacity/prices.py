"""What things cost, as a file says it: the host by the hour, storage, traffic, and tokens of models that are paid for.

One file has one currency: nothing is ever converted, since no rate of ours would be the right one. A price that is
missing, negative or in another currency is refused with its line; no file at all means that nothing is known of cost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,  # noqa: TC002  (pydantic looks at what it is called with)
)

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.words import nearest
from sutazai_ops.yaml_file import read_yaml_file

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.yaml_file import YamlFile

PAGE = "docs/capacity/what-a-request-costs.md"
_AMOUNT = re.compile(r"(?P<number>-?\d+(?:\.\d+)?)(?:\s*(?P<currency>[A-Za-z]{3}))?")


def _amount(said: Any, info: ValidationInfo) -> float:  # noqa: ANN401
    """A number, or a number with its currency, which then has to be the file's."""
    match = _AMOUNT.fullmatch(said.strip()) if isinstance(said, str) else None
    if isinstance(said, bool) or not (match or isinstance(said, int | float)):
        msg = f"{said!r} is no amount: write it as 0.25 or as 0.25 EUR"
        raise ValueError(msg)
    currency = (info.context or {}).get("currency")
    if match and match["currency"] and match["currency"].upper() != currency:
        msg = f"{said} is in another currency than the file, which is in {currency}: write all of it in one"
        raise ValueError(msg)
    number = float(match["number"] if match else said)
    if number < 0 or not math.isfinite(number):
        msg = f"{said} is negative: a price is 0 or more"
        raise ValueError(msg)
    return number


Amount = Annotated[float, BeforeValidator(_amount)]


class HostPrice(Model):
    """The machine that everything runs on."""

    per_hour: Amount
    cpu_share: float = Field(default=0.5, ge=0, le=1)
    """How much of the price is for processors; the rest is for memory. Nobody says it, so halves are the default."""


class StoragePrice(Model):
    """Disk that is paid for beside the host."""

    per_gigabyte_month: Amount


class EgressPrice(Model):
    """Traffic that leaves the host."""

    per_gigabyte: Amount


class TokenPrice(Model):
    """A model that somebody else runs and is paid for."""

    prompt_per_million: Amount
    answer_per_million: Amount


class Prices(Model):
    """All prices, in one currency."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    """Its code, ISO 4217."""
    host: HostPrice
    storage: StoragePrice | None = None
    egress: EgressPrice | None = None
    models: Mapping[str, TokenPrice] = Field(default_factory=dict)
    """By the name that `llm_tokens_total` has as its label `model`."""


_MODELS: tuple[type[Model], ...] = (Prices, HostPrice, StoragePrice, EgressPrice, TokenPrice)


def read_prices(path: Path) -> Prices:
    """Read a file of prices.

    Raises:
        BadInput: for a file that cannot be read, and for a price that is missing, negative, no number or in another
            currency; names the line.
    """
    file = read_yaml_file(path, f"{PAGE} shows one")
    currency = file.content.get("currency")
    if not isinstance(currency, str):
        raise BadInput(f"{path.name} names no currency", where=str(path), remedy="add currency: EUR")
    try:
        return Prices.model_validate(file.content, context={"currency": currency})
    except ValidationError as error:
        raise _refusal(file, error) from None


def _refusal(file: YamlFile, error: ValidationError) -> BadInput:
    errors = error.errors()
    # A key that nobody knows, before the required one that is missing because it was misspelt.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    keys = [one for one in first["loc"] if one != "[key]"]
    path = ".".join(map(str, keys))
    if first["type"] == "missing":
        return BadInput(
            f"the price {path} is missing", where=file.where(*keys[:-1]), remedy=f"add it; {PAGE} shows how"
        )
    if first["type"] == "extra_forbidden":
        known = [
            name for model in (Prices, HostPrice, StoragePrice, EgressPrice, TokenPrice) for name in model.model_fields
        ]
        return BadInput(f"{path} is no price", where=file.where(*keys), remedy=nearest(str(keys[-1]), known))
    reason = first["msg"].removeprefix("Value error, ")
    return BadInput(f"{path} cannot be taken: {reason[0].lower()}{reason[1:]}", where=file.where(*keys))
