"""Every spelling of a usage object, into disjoint buckets."""

from decimal import Decimal
from typing import Any

import pytest

from shared.chat.usage import Usage
from shared.gateway.pricing import PriceList, costs_of, dollars, prices_of
from shared.providers.openai_compatible.usage import read_usage


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}, Usage(10, 2)),
        ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(6, 2, 4)),
        ({"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}, Usage(6, 0, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 1, "cached_tokens": 9}, Usage(1, 1, 9)),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}},
            Usage(3, 0, 4, 3),
        ),
        ({"prompt_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}, Usage(3, 0, 4, 2)),
        ({"input": 7, "output": 3}, Usage(7, 3)),
        (
            {"input_tokens": 7, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 2}},
            Usage(7, 3, reasoning_tokens=2),
        ),
        # xAI counts thoughts beside the output, and its total says so
        (
            {"prompt_tokens": 13, "completion_tokens": 1, "total_tokens": 400,
             "completion_tokens_details": {"reasoning_tokens": 386}},
            Usage(13, 387, reasoning_tokens=386),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
             "completion_tokens_details": {"reasoning_tokens": 20}},
            Usage(10, 20, reasoning_tokens=20),
        ),
        (
            {"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 9}},
            Usage(0, 5, reasoning_tokens=5),
        ),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 99}}, Usage(0, 0, 3)),
        ({"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(5, 1)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}, Usage(4, 0)),
        ({}, None),
        (None, None),
        ({"prompt_tokens": "many"}, None),
        ({"prompt_tokens": -1}, None),
        ({"prompt_tokens": True}, None),
    ],
)  # fmt: skip
def test_counts_are_read(counts: Any, usage: Usage | None) -> None:
    assert read_usage(counts) == usage


def test_thoughts_beside_the_output_are_charged_as_output() -> None:
    """By hand: 9,992 × 1.25 + 128 × 0.20 + (1,499 + 2,809) × 2.50 microdollars, which is what xAI said it cost."""
    usage = read_usage(
        {
            "prompt_tokens": 10_120,
            "completion_tokens": 1_499,
            "total_tokens": 14_428,
            "prompt_tokens_details": {"cached_tokens": 128},
            "completion_tokens_details": {"reasoning_tokens": 2_809},
        }
    )
    assert usage == Usage(9_992, 4_308, 128, reasoning_tokens=2_809)
    prices = prices_of(PriceList(Decimal("1.25"), Decimal("2.5"), Decimal("0.2")))
    assert dollars(costs_of(usage, prices).total) == "0.0232856"
