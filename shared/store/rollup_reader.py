"""Roll-ups read back: sums over any stretch of half-hours, in a few reads of many items each and no scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from shared.errors import StoreUnavailable
from shared.store.counters import Counters, added
from shared.store.rollup_packs import Names, Sums, add_to, row_of, sum_of_packs, take_from
from shared.store.rollup_plan import Interval, Plan, Uses, plan_of, stretches
from shared.store.rollups import DAY, MONTH, Kind, Place, others_of, place_at, shards_of, wait
from shared.store.tables import Tables, reaching

_AT_ONCE = 8
_MOST_KEYS = 100  # DynamoDB's limit for one BatchGetItem
_LONG = 50  # periods without a gap: more are a Query in each shard, and fewer half a BatchGetItem at most

_TURNS = 20
_READ = "dimension, moment, content"

_Wanted: TypeAlias = dict[Place, Uses]
_Found: TypeAlias = dict[Uses, list[bytes]]  # packs by what they count for


class _Whole(NamedTuple):
    since: int
    until: int


class RollupReader:
    """Synchronous; raises StoreUnavailable. `now` gives seconds since 1970, `reads` counts the calls of the table,
    `places` the items that they ask for.

    `key` and `model` read only the shards of these; their packs have cells of others too, which `only` leaves out.
    """

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._table: str = tables.rollups.Meta.table_name
        self._now = now
        self.reads = 0
        self.places = 0

    def sums(
        self,
        kind: Kind,
        since: int,
        until: int,
        *,
        key: str | None = None,
        model: str | None = None,
        only: Names | None = None,
    ) -> dict[str, Counters]:
        """Each cell's row over [since, until), in seconds since 1970, at half-hours.

        An end that is not over yet is no end: what lies in the future has not been recorded.
        """
        plan = plan_of([_Whole(since, until)], MONTH, now=self._now())
        [cells] = self._added(kind, plan, 1, shards_of(kind, key, model), only)
        return cells

    def by_span(
        self,
        kind: Kind,
        spans: Sequence[Interval],
        *,
        key: str | None = None,
        model: str | None = None,
        only: Names | None = None,
    ) -> list[dict[str, Counters]]:
        """The cells of each of `spans`, which are at half-hours and follow each other: days or hours of some zone."""
        plan = plan_of(spans, DAY, now=self._now())
        return self._added(kind, plan, len(spans), shards_of(kind, key, model), only)

    def _added(
        self, kind: Kind, plan: Plan, count: int, shards: Sequence[int], only: Names | None
    ) -> list[dict[str, Counters]]:
        sums: list[Sums] = [{} for _ in range(count)]
        for found in self._read(kind, plan, shards):
            for uses, contents in found.items():  # what counts for the same is added up at once
                more = sum_of_packs(contents, only)
                for use in uses:
                    change = take_from if use.is_taken_out else add_to
                    change(sums[use.place], more.items())
        return [
            _settled({name: row_of(number, kind.counters) for name, number in each.items() if number}) for each in sums
        ]

    def _read(self, kind: Kind, plan: Plan, shards: Sequence[int]) -> Iterator[_Found]:
        calls: list[tuple[Callable[[_Wanted], _Found], _Wanted]] = []
        by_key: _Wanted = {}
        for stretch in stretches(plan):
            for shard in shards:
                wanted = {place_at(each.level, kind, shard, each.moment): plan[each] for each in stretch}
                if len(stretch) > _LONG:
                    calls.append((self._query, wanted))
                else:
                    by_key |= wanted
        rest = iter(by_key.items())
        while some := dict(islice(rest, _MOST_KEYS)):
            calls.append((self._get, some))
        self.reads += len(calls)
        self.places += len(plan) * len(shards)
        if len(calls) <= 1:
            yield from (read(wanted) for read, wanted in calls)
            return
        self._tables.connect()
        with ThreadPoolExecutor(min(_AT_ONCE, len(calls))) as pool:
            yield from pool.map(lambda call: call[0](call[1]), calls)

    def _query(self, wanted: _Wanted) -> _Found:
        """Neighbours within one partition."""
        (dimension, first), (_, last) = min(wanted), max(wanted)
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "dimension = :d AND moment BETWEEN :f AND :l",
            "ExpressionAttributeValues": {":d": {"S": dimension}, ":f": {"S": first}, ":l": {"S": last}},
            "ProjectionExpression": _READ,
            "ReturnConsumedCapacity": "NONE",
        }
        found: _Found = {}
        while True:
            answer = self._asked("Query", arguments)
            _collect(found, wanted, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return found
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _get(self, wanted: _Wanted) -> _Found:
        keys = [{"dimension": {"S": place.dimension}, "moment": {"S": place.moment}} for place in wanted]
        asked: dict[str, Any] = {self._table: {"Keys": keys, "ProjectionExpression": _READ}}
        found: _Found = {}
        for turn in range(_TURNS):
            answer = self._asked("BatchGetItem", {"RequestItems": asked, "ReturnConsumedCapacity": "NONE"})
            items = answer["Responses"].get(self._table, [])
            _collect(found, wanted, items)
            asked = answer.get("UnprocessedKeys") or {}  # beyond 16 MB, or beyond what the table gives in a second
            if not asked:
                return found
            if not items:
                wait(turn)
        raise StoreUnavailable("the roll-ups are asked for more than they give; try again", retry_after_seconds=1)

    def _asked(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Past PynamoDB's model, which takes as long for an item as unpacking it does."""
        with reaching("the roll-ups"):
            answer: dict[str, Any] = self._tables.connection.dispatch(operation, arguments)
        return answer


def _settled(cells: dict[str, Counters]) -> dict[str, Counters]:
    """Without numbers below zero. Where a month had no more room for a name, and its days had, what they have of it is
    taken out of the month's others, so that the sum stays right. What was counted between two reads may be in a part
    and not yet in its whole: it is nothing until the next."""
    for name in [name for name, row in cells.items() if min(row) < 0]:
        row, others = cells.pop(name), others_of(name)
        if others in cells:
            cells[others] = added(cells[others], row)
        else:
            cells[name] = [max(each, 0) for each in row]
    return cells


def _collect(found: _Found, wanted: _Wanted, items: Iterable[Mapping[str, Any]]) -> None:
    for item in items:
        uses = wanted[Place(item["dimension"]["S"], item["moment"]["S"])]
        found.setdefault(uses, []).append(item["content"]["B"])
