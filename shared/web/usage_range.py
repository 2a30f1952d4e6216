"""What part of the usage somebody asks for: a stretch of time in a zone, and the days and hours that it has there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzdata  # noqa: F401 - zoneinfo finds it by itself where a system has no zones; named here, it is bundled

from shared.store.rollups import SLOT_SECONDS
from shared.web.admin_errors import FieldError, InvalidFields

DAY_SECONDS = 86_400
_MOST_DAYS = 3_660
_LATEST = 4_102_444_800  # 2100-01-01; an end beyond is a mistake in units


class Span(NamedTuple):
    """A day or an hour of the range, cut where the range begins or ends; `label` as in 2025-11-22."""

    label: str
    since: int
    until: int


class UsageRange(NamedTuple):
    """[since, until) in seconds since 1970, at half-hours."""

    since: int
    until: int
    zone: ZoneInfo

    def days(self) -> Iterator[Span]:
        """Oldest first. A day of a change of clocks has 23 or 25 hours."""
        day = datetime.fromtimestamp(self.since, self.zone).date()
        while (begin := self._midnight(datetime(day.year, day.month, day.day))) < self.until:
            day += timedelta(days=1)
            end = self._midnight(datetime(day.year, day.month, day.day))
            if end > self.since:
                label = (day - timedelta(days=1)).isoformat()
                yield Span(label, max(begin, self.since), min(end, self.until))

    def hours(self) -> Iterator[Span]:
        """Oldest first, by the clock of the zone: one of them is half an hour where a range or a zone cuts it so."""
        since = self.since
        while since < self.until:
            at = datetime.fromtimestamp(since, self.zone)
            end = min(since + 3_600 - at.minute * 60, self.until)
            yield Span(at.isoformat(timespec="minutes"), since, end)
            since = end

    def _midnight(self, day: datetime) -> int:
        return int(day.replace(tzinfo=self.zone).timestamp())


def usage_range(
    start_date: float | None, end_date: float | None, timezone: str | None, *, now: Callable[[], float] = time.time
) -> UsageRange:
    """The last 24 hours unless told otherwise; both ends go outwards to the half-hour. Raises InvalidFields."""
    until = now() if end_date is None else end_date
    since = until - DAY_SECONDS if start_date is None else start_date
    wrong: list[FieldError] = []
    for name, given, value in (("start_date", start_date, since), ("end_date", end_date, until)):
        if given is not None and not 0 <= value <= _LATEST:  # also what is no number
            wrong.append(FieldError(name, "must be seconds since 1970, not after 2100"))
    if not wrong and since >= until:
        wrong.append(FieldError("start_date", "must lie before end_date"))
    if not wrong and until - since > _MOST_DAYS * DAY_SECONDS:
        wrong.append(FieldError("start_date", f"must not lie more than {_MOST_DAYS} days before end_date"))
    zone = _zone(timezone or "UTC")
    if zone is None:
        wrong.append(FieldError("timezone", "must be the name of a time zone, as in Europe/Berlin"))
    if wrong or zone is None:
        raise InvalidFields(wrong)
    found = UsageRange(
        math.floor(max(since, 0) / SLOT_SECONDS) * SLOT_SECONDS, math.ceil(until / SLOT_SECONDS) * SLOT_SECONDS, zone
    )
    _refuse_quarters(found, timezone or "UTC")
    return found


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, no name at all, or a folder of names
        return None


def _refuse_quarters(wanted: UsageRange, name: str) -> None:
    """Half-hours add up to the days of every zone but the three whose clocks stand at a quarter."""
    for at in (wanted.since, wanted.until):
        offset = datetime.fromtimestamp(at, wanted.zone).utcoffset() or timedelta()
        if offset.total_seconds() % SLOT_SECONDS:
            now = datetime.fromtimestamp(at, UTC).date()
            text = f"{name} is not a whole number of half-hours from UTC on {now}, which are what usage is added up by"
            raise InvalidFields([FieldError("timezone", text)])
