"""The roll-ups day by day, oldest first: in total, or by model, endpoint or key within each day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Literal, NamedTuple, TypeAlias

from functions.admin_usage_export.sheet import dollars, written
from shared.store.counters import COSTS, OUTCOMES, PLACE, Counters, total
from shared.store.key_labels import KeyLabels
from shared.store.rollup_reader import RollupReader
from shared.store.rollups import ENDPOINT, Kind
from shared.web.usage_cells import UsageCells, endpoint_of
from shared.web.usage_range import Span, UsageRange

By: TypeAlias = Literal["day", "model", "endpoint", "key"]
Cells: TypeAlias = Mapping[str, Counters]

_MOST_DAYS = 32  # of one read
_MANY_LINES = 4_000  # of one read: 4 MB of memory

_PROMPT = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


class _Listing(NamedTuple):
    """How days are cut up: the columns of a name, where the cells are, and which rows they come to by what name."""

    names: tuple[str, ...]
    kind: Callable[[UsageCells], Kind]
    rows: Callable[[UsageCells, Cells], Cells]


def _in_total(chosen: UsageCells, cells: Cells) -> Cells:
    rows = list(chosen.taken(cells))
    return {"": total(rows)} if rows else {}


LISTINGS: Mapping[By, _Listing] = {
    "day": _Listing((), lambda chosen: chosen.kind, _in_total),
    "model": _Listing(("Virtual Model",), lambda chosen: chosen.kind_of_models, UsageCells.by_model),
    "endpoint": _Listing(("Endpoint Id", "Endpoint"), lambda chosen: ENDPOINT, UsageCells.by_rest),
    "key": _Listing(("Client Key", "Key Label"), lambda chosen: chosen.kind_of_keys, UsageCells.by_key),
}


def _count(*names: str) -> Callable[[Counters], int]:
    return lambda row: sum(row[PLACE[name]] for name in names)


def _cost(*names: str) -> Callable[[Counters], str]:
    return lambda row: dollars(sum(row[PLACE[name]] for name in names))


def _mean(name: str, count: str) -> Callable[[Counters], str]:
    return lambda row: f"{row[PLACE[name]] / row[PLACE[count]]:.1f}" if row[PLACE[count]] else ""


COLUMNS: tuple[tuple[str, Callable[[Counters], str | int]], ...] = (
    # by the names that an attempt has them under
    ("Prompt Tokens", _count(*_PROMPT)),
    ("Completion Tokens", _count("output_tokens")),
    ("Total Tokens", _count(*_PROMPT, "output_tokens")),
    ("Cost ($)", _cost(*COSTS)),
    ("Response Time (ms)", _mean("total_ms", "attempts")),
    ("Time to First Token (ms)", _mean("ttft_ms", "ttft_count")),
    ("Attempts", _count("attempts")),
    ("Requests", _count("requests")),
    *((outcome.capitalize(), _count(outcome)) for outcome in OUTCOMES),
    ("Input Tokens", _count("input_tokens")),
    ("Cache Read Tokens", _count("cache_read_tokens")),
    ("Cache Write Tokens (5 min)", _count("cache_write_5m_tokens")),
    ("Cache Write Tokens (1 h)", _count("cache_write_1h_tokens")),
    ("Reasoning Tokens", _count("reasoning_tokens")),
    ("Input Cost ($)", _cost("input_cost")),
    ("Cache Read Cost ($)", _cost("cache_read_cost")),
    ("Cache Write Cost ($)", _cost("cache_write_cost")),
    ("Output Cost ($)", _cost("output_cost")),
    ("Estimated", _count("estimated")),
    ("Partial", _count("partial")),
    ("Without Prices", _count("unpriced")),
)


def days(reader: RollupReader, labels: KeyLabels, span: UsageRange, by: By, chosen: UsageCells) -> Iterator[bytes]:
    """The head with the first day, then some days at a time: as many more as their lines are few."""
    listing = LISTINGS[by]
    kind = listing.kind(chosen)
    rest, known = span.days(), _Known(labels)
    head = written([["Date", *listing.names, *(name for name, _ in COLUMNS)]])
    count = 1
    while some := list(islice(rest, count)):
        found = reader.by_span(kind, some, **chosen.place(kind))
        lists = [_ranked(listing.rows(chosen, cells)) for cells in found]
        lines = sum(map(len, lists))
        if head or lines:
            yield head + _lines(some, lists, _named(by, known, lists))
        head, count = b"", min(2 * count, _MOST_DAYS) if lines < _MANY_LINES else max(count // 2, 1)


_Ranked: TypeAlias = list[tuple[str, Counters]]


def _ranked(rows: Cells) -> _Ranked:
    """Most tokens first, and by name."""
    tokens = _count(*_PROMPT, "output_tokens")
    return sorted(rows.items(), key=lambda each: (-tokens(each[1]), each[0]))


def _lines(some: Sequence[Span], lists: Iterable[_Ranked], names: Callable[[str], tuple[str | int, ...]]) -> bytes:
    return written(
        [day.label, *names(name), *(cell(row) for _, cell in COLUMNS)]
        for day, rows in zip(some, lists, strict=True)
        for name, row in rows
    )


def _named(by: By, known: _Known, lists: Iterable[_Ranked]) -> Callable[[str], tuple[str | int, ...]]:
    """What stands in the columns of a name."""
    match by:
        case "day":
            return lambda name: ()
        case "model":
            return lambda name: (name,)
        case "endpoint":
            return endpoint_of
        case "key":
            known.learn(name for name, _ in chain.from_iterable(lists))
            return lambda name: (name, known.label(name))


class _Known:
    """The labels of keys, each read once."""

    def __init__(self, labels: KeyLabels) -> None:
        self._labels = labels
        self._known: dict[str, str] = {"": ""}

    def learn(self, key_ids: Iterable[str]) -> None:
        fresh = {each for each in key_ids if each not in self._known}
        self._known |= {**dict.fromkeys(fresh, ""), **self._labels.of(fresh)}

    def label(self, key_id: str) -> str:
        return self._known[key_id]
