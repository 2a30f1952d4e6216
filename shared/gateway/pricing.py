"""What tokens cost: a virtual model's prices as whole picodollars a token, and the costs of one attempt."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import NamedTuple

from shared.chat.usage import Usage

PICODOLLARS = 10**12  # in a dollar
PRICE_PLACES = 6  # decimals of a price: 0.000001 dollars per million tokens is one picodollar a token
HIGHEST_PRICE = 10_000  # dollars per million tokens; with MOST_TOKENS every cost fits into 64 bits
_PER_TOKEN = 10**PRICE_PLACES  # picodollars a token for a dollar per million tokens
_VERSION_CHARS = 12


class PriceList(NamedTuple):
    """What an administrator wrote, in dollars per million tokens; None is unset and 0 is free.

    `output_cached` is the original's fourth price. No provider reports output from a cache, so no token has it; it is
    kept and shown, and nothing is charged by it (docs/prices.md).
    """

    input: Decimal | None = None
    output: Decimal | None = None
    input_cached: Decimal | None = None
    output_cached: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None


class Prices(NamedTuple):
    """Picodollars a token for every bucket of a usage. `version` names the prices: the same six, the same version."""

    version: str
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


class Costs(NamedTuple):
    """Picodollars by what they were spent on. `version` is empty when there were no prices."""

    version: str = ""
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.output


UNPRICED = Costs()


def prices_of(written: PriceList) -> Prices | None:
    """None when no price is set. An unset price is the input price, and an unset input price charges nothing."""
    if all(price is None for price in written):
        return None
    fresh = _per_token(written.input) or 0

    def or_input(price: Decimal | None) -> int:
        picodollars = _per_token(price)
        return fresh if picodollars is None else picodollars

    return Prices(
        version=version_of(written),
        input=fresh,
        cache_read=or_input(written.input_cached),
        cache_write_5m=or_input(written.cache_write_5m),
        cache_write_1h=or_input(written.cache_write_1h),
        output=or_input(written.output),
    )


def version_of(written: PriceList) -> str:
    """A short hash of the six prices: 2 and 2.00 are the same, unset and 0 are not."""
    text = ";".join("" if price is None else str(_per_token(price)) for price in written)
    return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_CHARS]


def costs_of(usage: Usage, prices: Prices | None) -> Costs:
    """Exact: whole tokens times whole picodollars. Reasoning is charged within the output, of which it is a part."""
    if prices is None:
        return UNPRICED
    return Costs(
        prices.version,
        usage.input_tokens * prices.input,
        usage.cache_read_tokens * prices.cache_read,
        usage.cache_write_5m_tokens * prices.cache_write_5m + usage.cache_write_1h_tokens * prices.cache_write_1h,
        usage.output_tokens * prices.output,
    )


def dollars(picodollars: int) -> str:
    """The exact decimal, without needless zeros: `0.0000125`."""
    whole, rest = divmod(abs(picodollars), PICODOLLARS)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if picodollars < 0 else text


def _per_token(price: Decimal | None) -> int | None:
    """Raises ValueError for a price that is not whole in picodollars a token."""
    if price is None:
        return None
    exact = price * _PER_TOKEN
    picodollars = int(exact)
    if picodollars != exact or not 0 <= picodollars <= HIGHEST_PRICE * _PER_TOKEN:
        raise ValueError(f"a price has at most {PRICE_PLACES} decimals and lies between 0 and {HIGHEST_PRICE}")
    return picodollars
