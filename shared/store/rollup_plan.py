"""Which roll-ups make up a stretch of time: as few half-hours, days and months in UTC as can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol, TypeAlias

from shared.store.rollups import DAY, MONTH, SLOT, SLOT_SECONDS, Level

_DAY_SECONDS = 86_400
_BELOW: Mapping[Level, Level] = {MONTH: DAY, DAY: SLOT}


class Interval(Protocol):
    """[since, until) in seconds since 1970."""

    @property
    def since(self) -> int: ...

    @property
    def until(self) -> int: ...


class Period(NamedTuple):
    level: Level
    begin: int

    @property
    def moment(self) -> str:
        """As in 2025-11-22T12:30, of which its place is made."""
        return datetime.fromtimestamp(self.begin, UTC).strftime("%Y-%m-%dT%H:%M")

    @property
    def end(self) -> int:
        return _end(self.begin, self.level)


class Use(NamedTuple):
    """A period counts for the interval at `place`, or is taken out of it again."""

    place: int
    is_taken_out: bool


Uses: TypeAlias = tuple[Use, ...]
Plan: TypeAlias = dict[Period, Uses]


def plan_of(intervals: Sequence[Interval], longest: Level, *, now: float) -> Plan:
    """What each period counts for. Of a period that is more than half within an interval the rest is taken out again:
    a day in Berlin is then one day and four half-hours, and not 48; three weeks of a month at most 15 days.

    An end that is not over yet is none: what lies in the future has not been recorded, and `longest`, which it is in,
    is taken whole.
    """
    found: dict[Period, list[Use]] = {}
    for place, each in enumerate(intervals):
        if each.since > now:
            break
        until = _end(int(now), longest) if each.until > now else each.until
        for period, is_taken_out in _parts(each.since, until, longest):
            found.setdefault(period, []).append(Use(place, is_taken_out))
    return {period: tuple(uses) for period, uses in found.items()}


def _parts(since: int, until: int, level: Level, is_taken_out: bool = False) -> Iterator[tuple[Period, bool]]:
    begin = _begin(since, level) if since < until else until
    while begin < until:
        end = _end(begin, level)
        first, last = max(begin, since), min(end, until)
        is_whole = 2 * (last - first) > end - begin
        if is_whole:
            yield Period(level, begin), is_taken_out
        for one, other in ((begin, first), (last, end)) if is_whole else ((first, last),):
            if one < other:
                yield from _parts(one, other, _BELOW[level], is_taken_out is not is_whole)
        begin = end


def stretches(periods: Iterable[Period]) -> list[list[Period]]:
    """The periods in stretches without a gap, each of one level and within one partition."""
    found: list[list[Period]] = []
    for period in sorted(periods):
        last = found[-1][-1] if found else None
        if last and (last.level, last.end, _span(last)) == (period.level, period.begin, _span(period)):
            found[-1].append(period)
        else:
            found.append([period])
    return found


def _span(period: Period) -> str:
    return period.moment[: period.level.span_chars]


def _begin(at: int, level: Level) -> int:
    """Where the period begins that the second lies in."""
    if level is MONTH:
        day = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0)
        return int(day.timestamp())
    return at - at % (_DAY_SECONDS if level is DAY else SLOT_SECONDS)


def _end(at: int, level: Level) -> int:
    begin = _begin(at, level)
    if level is MONTH:
        following = datetime.fromtimestamp(begin, UTC) + timedelta(days=32)
        return _begin(int(following.timestamp()), MONTH)
    return begin + (_DAY_SECONDS if level is DAY else SLOT_SECONDS)
