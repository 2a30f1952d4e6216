"""What is counted of usage: a row of whole numbers per cell, and how rows are added, read and summed up in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add, index, sub
from typing import TypeAlias, get_args

from shared.gateway.records import Outcome, Record

Counters: TypeAlias = list[int]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
COSTS = ("input_cost", "cache_read_cost", "cache_write_cost", "output_cost")  # picodollars

# Their places are the format of what is stored: a new one is added at the end, and older rows are shorter.
FIELDS = (
    "attempts",
    "requests",  # first attempts: what clients asked for
    *OUTCOMES,
    *TOKENS,
    *COSTS,
    "estimated",
    "partial",
    "unpriced",
    "total_ms",
    "ttft_ms",
    "ttft_count",
)
PLACE = {name: place for place, name in enumerate(FIELDS)}

# Upper bounds in ms, each half as much again as the one before; the last class has none. A percentile read from them is
# at most a half too high.
TTFT_BOUNDS_MS = (50, 75, 112, 169, 253, 380, 570, 854, 1281, 1922, 2883, 4325, 6487, 9731, 14596, 21894, 32842, 49263)
TTFT_CLASSES = len(TTFT_BOUNDS_MS) + 1

# What one record may come to. In 64 bits (128 for costs) a thousand such are added up, and ten thousand million of the
# largest that the gateway writes.
_MOST = 2**53
_HIGHEST_COST = 2**100

_FIRST_ATTEMPTS = (1, 1001)  # 1001: the first choice of a request that is asked choice by choice


def counted(record: Record, *, with_ttft: bool) -> Counters:
    """The record as a row; with `with_ttft` its time to the first token stands in its class behind the fields.

    Raises TypeError for a number that is none, and ValueError for one that no sum has room for.
    """
    ttft = record.time_to_first_token_ms
    row = [
        1,
        int(record.attempt in _FIRST_ATTEMPTS),
        *(int(record.outcome == outcome) for outcome in OUTCOMES),
        *(index(getattr(record, name)) for name in TOKENS),
        *(index(getattr(record, name)) for name in COSTS),
        int(record.usage_source == "estimated"),
        int(record.usage_source == "partial"),
        int(not record.price_version),
        index(record.total_ms),
        index(ttft or 0),
        int(ttft is not None),
    ]
    if min(row) < 0 or (max(row) >= _MOST and not _has_room(row)):
        raise ValueError("a number of this record cannot be counted")
    if with_ttft:
        row += [0] * TTFT_CLASSES
        if ttft is not None:
            row[len(FIELDS) + _ttft_class(ttft)] = 1
    return row


def _has_room(row: Sequence[int]) -> bool:
    limits = (_HIGHEST_COST if name in COSTS else _MOST for name in FIELDS)
    return all(number < limit for number, limit in zip(row, limits, strict=True))


def added(one: Sequence[int], other: Sequence[int]) -> Counters:
    if len(one) != len(other):
        size = max(len(one), len(other))
        one, other = ([*row, *[0] * (size - len(row))] for row in (one, other))
    return list(map(add, one, other))


def total(rows: Iterable[Sequence[int]]) -> Counters:
    """All of them together; as many zeros as there are fields when there are none."""
    given = list(rows)
    if len(given) < 2:
        return list(given[0]) if given else [0] * len(FIELDS)
    if len(set(map(len, given))) > 1:
        return reduce(added, given[1:], list(given[0]))
    return list(map(sum, zip(*given, strict=True)))


def without(row: Sequence[int], others: Iterable[Sequence[int]]) -> Counters:
    """What is left of the row when the others, which are parts of it, are taken out."""
    taken = total(others)
    return list(map(sub, row, [*taken, *[0] * (len(row) - len(taken))]))


def ttft_percentile(row: Sequence[int], share: float) -> int | None:
    """The upper bound in ms of the class in which that share of the times to the first token lies; None without any,
    or where the row has no classes. Beyond the last bound it is the last bound."""
    classes = row[len(FIELDS) :]
    wanted = sum(classes) * share
    reached = 0
    for bound, count in zip((*TTFT_BOUNDS_MS, TTFT_BOUNDS_MS[-1]), classes, strict=False):
        reached += count
        if count and reached >= wanted:
            return bound
    return None


def _ttft_class(ms: int) -> int:
    return next((place for place, bound in enumerate(TTFT_BOUNDS_MS) if ms <= bound), len(TTFT_BOUNDS_MS))
