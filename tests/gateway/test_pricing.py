"""Costs are whole picodollars, exact, and every unset price falls back to the input price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import wire
from shared.chat.usage import MOST_TOKENS, Usage
from shared.gateway.catalog import VirtualModel
from shared.gateway.pricing import HIGHEST_PRICE, PICODOLLARS, Costs, PriceList, costs_of, dollars, prices_of

prices = st.none() | st.decimals(min_value=0, max_value=HIGHEST_PRICE, places=6)
counts = st.integers(min_value=0, max_value=MOST_TOKENS)


def a_list(**prices: str) -> PriceList:
    return PriceList(**{name: Decimal(price) for name, price in prices.items()})


def test_every_bucket_has_its_price() -> None:
    usage = Usage(1_000, 200, 30_000, 4_000, 500, reasoning_tokens=150)
    written = a_list(input="3", output="15", input_cached="0.30", cache_write_5m="3.75", cache_write_1h="6")
    costs = costs_of(usage, prices_of(written))
    # 1,000 × $3, 30,000 × $0.30, 4,000 × $3.75 + 500 × $6, 200 × $15, each per million; reasoning is in the output
    assert [dollars(each) for each in costs[1:]] == ["0.003", "0.009", "0.018", "0.003"]
    assert dollars(costs.total) == "0.033"


def test_an_unset_price_is_the_input_price() -> None:
    found = prices_of(a_list(input="2"))
    assert found is not None
    assert found[1:] == (2_000_000,) * 5


def test_zero_is_a_price_and_no_fallback() -> None:
    found = prices_of(a_list(input="2", input_cached="0", output="0"))
    assert found is not None
    assert (found.cache_read, found.output, found.cache_write_5m) == (0, 0, 2_000_000)


def test_an_unset_input_price_charges_nothing() -> None:
    found = prices_of(a_list(output="8"))
    assert found is not None
    assert (found.input, found.cache_read, found.output) == (0, 0, 8_000_000)


def test_without_prices_there_is_no_version_and_no_cost() -> None:
    assert prices_of(PriceList()) is None
    assert costs_of(Usage(10, 10), None) == Costs("", 0, 0, 0, 0)


def test_the_price_of_cached_output_is_charged_for_nothing() -> None:
    usage = Usage(10, 10, 10, 10, 10)
    with_it = costs_of(usage, prices_of(a_list(input="1", output="2", output_cached="9")))
    without = costs_of(usage, prices_of(a_list(input="1", output="2")))
    assert with_it[1:] == without[1:]


def test_the_version_is_of_the_prices_alone() -> None:
    versions = [
        prices_of(a_list(**each)).version  # type: ignore[union-attr]
        for each in ({"input": "2"}, {"input": "2.00"}, {"input": "2", "output": "2"}, {"output": "2"}, {"input": "3"})
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 4
    assert len(versions[0]) == 12


@given(st.builds(PriceList, prices, prices, prices, prices, prices, prices), st.builds(Usage, *[counts] * 6))
def test_costs_are_what_decimals_say_and_fit_into_64_bits(written: PriceList, usage: Usage) -> None:
    costs = costs_of(usage, prices_of(written))
    fresh = written.input or Decimal(0)

    def price(own: Decimal | None) -> Decimal:
        return fresh if own is None else own

    assert Decimal(costs.input) == usage.input_tokens * fresh * 10**6
    assert Decimal(costs.cache_read) == usage.cache_read_tokens * price(written.input_cached) * 10**6
    assert Decimal(costs.output) == usage.output_tokens * price(written.output) * 10**6
    writes = usage.cache_write_5m_tokens * price(written.cache_write_5m)
    writes += usage.cache_write_1h_tokens * price(written.cache_write_1h)
    assert Decimal(costs.cache_write) == writes * 10**6
    assert costs.total < 2**63
    assert wire.loads(wire.dumps(costs.total)) == costs.total


@given(st.integers(min_value=-(10**18), max_value=10**19))
def test_dollars_are_exact(picodollars: int) -> None:
    text = dollars(picodollars)
    assert Decimal(text) * PICODOLLARS == picodollars
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith("0"))


@pytest.mark.parametrize("price", ["0.0000001", "-1", "10000.000001", "NaN", "Infinity"])
def test_no_other_price_gets_in(price: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        prices_of(a_list(output=price))


def test_a_virtual_model_knows_its_prices() -> None:
    fields: dict[str, Any] = {"cost_per_1m_tokens_in": Decimal("0.26"), "cost_per_1m_tokens_in_cached": Decimal("0.13")}
    model = VirtualModel(1, "fast", (), **fields)
    assert model.prices is not None
    assert (model.prices.input, model.prices.cache_read, model.prices.output) == (260_000, 130_000, 260_000)
    assert VirtualModel(1, "fast", ()).prices is None
