"""Prices that are proposed for a model, from the bundled list; an administrator takes them over, or does not."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from functions.admin_virtual_models.price_list import PRICE_LIST, Listed

# what providers append to a model's id: a day, or the word for the newest
_SUFFIX = re.compile(r"(-latest|[-@]20\d{2}-?\d{2}-?\d{2})(-v\d+(:\d+)?)?")


class PriceProposal(BaseModel):
    """In the fields of a virtual model; null is no such price. `source` is the provider's page, `as_of` the last day
    (YYYY-MM-DD) on which it is known to have said so."""

    provider: str
    model: str
    cost_per_1m_tokens_in: float
    cost_per_1m_tokens_out: float | None
    cost_per_1m_tokens_in_cached: float | None
    cost_per_1m_tokens_cache_write_5m: float | None
    cost_per_1m_tokens_cache_write_1h: float | None
    note: str | None
    source: str
    as_of: str


class PriceProposals(BaseModel):
    items: list[PriceProposal]
    count: int


def propose_prices(
    model: Annotated[str | None, Query(max_length=512, description="an actual model; without one, the list")] = None,
) -> PriceProposals:
    """What the model's provider publishes; nothing when it is not known. No virtual model is changed."""
    items = [
        _proposal(listed, known)
        for listed in PRICE_LIST
        for known in listed.models
        if not model or is_model(model, known)
    ]
    return PriceProposals(items=items, count=len(items))


def is_model(asked: str, known: str) -> bool:
    """Whether a model's id means the known one: as it is, of a certain day, or with a vendor before it."""
    asked, known = asked.lower(), known.lower()
    names = [asked] if "/" in known else [asked, asked.rpartition("/")[2]]
    return any(name == known or (name.startswith(known) and _SUFFIX.fullmatch(name[len(known) :])) for name in names)


def _proposal(listed: Listed, model: str) -> PriceProposal:
    return PriceProposal(
        provider=listed.source.provider,
        model=model,
        cost_per_1m_tokens_in=float(listed.input),
        cost_per_1m_tokens_out=_number(listed.output),
        cost_per_1m_tokens_in_cached=_number(listed.input_cached),
        cost_per_1m_tokens_cache_write_5m=_number(listed.cache_write_5m),
        cost_per_1m_tokens_cache_write_1h=_number(listed.cache_write_1h),
        note=listed.note,
        source=listed.source.page,
        as_of=listed.source.as_of,
    )


def _number(price: str | None) -> float | None:
    return None if price is None else float(price)
