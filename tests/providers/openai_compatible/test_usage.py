"""Every spelling of a usage object, into disjoint buckets."""

from typing import Any

import pytest

from shared.chat.usage import Usage
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
