"""Roll-ups read back: sums over any stretch of half-hours, by a few Queries of neighbouring items and no scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

from shared.store.counters import Counters, total, without
from shared.store.rollups import DAY, MONTH, SLOT, SLOT_SECONDS, Kind, Level, place_at, shards_of, sum_of_packs
from shared.store.tables import Tables, reaching

_AT_ONCE = 8
_DAY_SECONDS = 86_400
_EVER = datetime(9999, 12, 1, tzinfo=UTC)


class Stretch(NamedTuple):
    """Periods of one level, the last included, that one Query finds."""

    level: Level
    first: str
    last: str


class Interval(Protocol):
    """[since, until) in seconds since 1970."""

    @property
    def since(self) -> int: ...

    @property
    def until(self) -> int: ...


class Share(NamedTuple):
    """The places of the span that a period counts for and of the one that it is taken out of again."""

    into: int | None
    out_of: int | None


Name: TypeAlias = Callable[[str], bool]
_ALL = Share(0, None)


class RollupReader:
    """Synchronous; raises StoreUnavailable. `now` gives seconds since 1970, `queries` counts the reads of the table.

    `key` and `model` read only the shards of these; their packs have cells of others too, which `only` leaves out.
    """

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now
        self.queries = 0

    def sums(
        self,
        kind: Kind,
        since: int,
        until: int,
        *,
        key: str | None = None,
        model: str | None = None,
        only: Name | None = None,
    ) -> dict[str, Counters]:
        """Each cell's row over [since, until), in seconds since 1970, at half-hours.

        An end that is not over yet is no end: what lies in the future has not been recorded.
        """
        stretches = cover(since, until, now=self._now())
        rows: dict[str, list[Counters]] = {}
        for _, sums in self._read(kind, stretches, shards_of(kind, key, model), lambda period: _ALL, only):
            _collect(rows, sums)
        return {name: total(some) for name, some in rows.items()}

    def by_span(
        self,
        kind: Kind,
        spans: Sequence[Interval],
        *,
        key: str | None = None,
        model: str | None = None,
        only: Name | None = None,
    ) -> list[dict[str, Counters]]:
        """The cells of each of `spans`, which are at half-hours and follow each other: days or hours of some zone."""
        plan = plan_of(spans)
        stretches = [*_stretches(DAY, plan.days), *_stretches(SLOT, sorted({*plan.slots, *plan.foreign}))]
        parts: list[dict[str, list[Counters]]] = [{} for _ in spans]
        others: list[dict[str, list[Counters]]] = [{} for _ in spans]
        for share, rows in self._read(kind, stretches, shards_of(kind, key, model), plan.share_of, only):
            if share.into is not None:
                _collect(parts[share.into], rows)
            if share.out_of is not None:
                _collect(others[share.out_of], rows)
        return [_difference(*each) for each in zip(parts, others, strict=True)]

    def _read(
        self,
        kind: Kind,
        stretches: Iterable[Stretch],
        shards: Iterable[int],
        share_of: Callable[[str], Share],
        only: Name | None,
    ) -> Iterator[tuple[Share, dict[str, Counters]]]:
        wanted = [(kind, shard, stretch, share_of, only) for stretch in stretches for shard in shards]
        self.queries += len(wanted)
        if len(wanted) <= 1:
            for each in wanted:
                yield from self._query(*each)
            return
        self._tables.connect()
        with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
            for found in pool.map(lambda each: self._query(*each), wanted):
                yield from found

    def _query(
        self, kind: Kind, shard: int, stretch: Stretch, share_of: Callable[[str], Share], only: Name | None
    ) -> list[tuple[Share, dict[str, Counters]]]:
        """What has the same share is added up at once, so that few rows are held and nothing is added up twice."""
        rollups = self._tables.rollups
        dimension = place_at(stretch.level, kind, shard, stretch.first).dimension
        contents: dict[Share, list[bytes]] = {}
        with reaching("the roll-ups"):
            for item in rollups.query(dimension, rollups.moment.between(stretch.first, stretch.last)):
                contents.setdefault(share_of(item.moment), []).append(item.content)
        return [(share, sum_of_packs(some, only)) for share, some in contents.items()]


def cover(since: int, until: int, *, now: float) -> list[Stretch]:
    """[since, until) as months, days and half-hours, each as long as can be, in stretches that one Query reads."""
    begin = datetime.fromtimestamp(since, UTC)
    end = _EVER if until > now else datetime.fromtimestamp(until, UTC)
    found: list[Stretch] = []
    at = begin
    while at < end:
        level, next_at = _longest(at, end)
        period = _period(level, at)
        last = found[-1] if found else None
        if last and last.level is level and _span(level, last.first) == _span(level, period):
            found[-1] = last._replace(last=period)
        else:
            found.append(Stretch(level, period, period))
        if end is _EVER and level is MONTH:
            found[-1] = found[-1]._replace(last=_period(MONTH, _EVER))
            break
        at = next_at
    return found


def _longest(at: datetime, end: datetime) -> tuple[Level, datetime]:
    """The longest level with a period that begins at `at` and ends by `end`, and where that ends."""
    if at.timestamp() % _DAY_SECONDS == 0:
        next_month = (at.replace(day=1) + timedelta(days=32)).replace(day=1)
        if at.day == 1 and next_month <= end:
            return MONTH, next_month
        next_day = at + timedelta(days=1)
        if next_day <= end:
            return DAY, next_day
    return SLOT, at + timedelta(seconds=SLOT_SECONDS)


def _stretches(level: Level, periods: Iterable[str]) -> list[Stretch]:
    """The periods, oldest first, in stretches that one Query reads: without a gap, and within one partition."""
    found: list[Stretch] = []
    following = ""
    for period in periods:
        last = found[-1] if found else None
        if last and period == following and _span(level, last.first) == _span(level, period):
            found[-1] = last._replace(last=period)
        else:
            found.append(Stretch(level, period, period))
        seconds = _DAY_SECONDS if level is DAY else SLOT_SECONDS
        begin = datetime.fromisoformat(period).replace(tzinfo=UTC)
        following = _period(level, begin + timedelta(seconds=seconds))
    return found


class Plan(NamedTuple):
    """Which periods make up which span, by its place. A UTC day of which a span has the most is read whole, and what of
    it is foreign to the span is taken out again: a day in Berlin is then read from 3 packs and not from 48."""

    days: dict[str, int]
    slots: dict[str, int]
    foreign: dict[str, int]

    def share_of(self, period: str) -> Share:
        if period in self.days:
            return Share(self.days[period], None)
        return Share(self.slots.get(period), self.foreign.get(period))


def plan_of(spans: Sequence[Interval]) -> Plan:
    plan = Plan({}, {}, {})
    pieces: dict[int, list[tuple[int, int, int]]] = {}  # of each UTC day: a span's place and what it has of the day
    for place, span in enumerate(spans):
        for day in range(span.since // _DAY_SECONDS, -(-span.until // _DAY_SECONDS)):
            since, until = max(span.since, day * _DAY_SECONDS), min(span.until, (day + 1) * _DAY_SECONDS)
            pieces.setdefault(day, []).append((until - since, place, since))
    for day, some in pieces.items():
        size, largest, since = max(some)
        whole = range(day * _DAY_SECONDS, (day + 1) * _DAY_SECONDS, SLOT_SECONDS)
        is_read_whole = 2 * size > _DAY_SECONDS
        if is_read_whole:
            plan.days[_period(DAY, _at(day * _DAY_SECONDS))] = largest
            foreign = (at for at in whole if not since <= at < since + size)
            plan.foreign.update((_period(SLOT, _at(at)), largest) for at in foreign)
        for length, place, begin in some:
            if not is_read_whole or place != largest:
                slots = range(begin, begin + length, SLOT_SECONDS)
                plan.slots.update((_period(SLOT, _at(at)), place) for at in slots)
    return plan


def _collect(cells: dict[str, list[Counters]], rows: dict[str, Counters]) -> None:
    for name, row in rows.items():
        cells.setdefault(name, []).append(row)


def _difference(parts: dict[str, list[Counters]], others: dict[str, list[Counters]]) -> dict[str, Counters]:
    """What is in the parts and not in the others, where something is."""
    found = {
        name: without(total(rows), others[name]) if name in others else total(rows) for name, rows in parts.items()
    }
    return {name: row for name, row in found.items() if any(row)}


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _period(level: Level, at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M")[: level.period_chars]


def _span(level: Level, period: str) -> str:
    return period[: level.span_chars]
