"""moto's DynamoDB table made fast enough for 50,000 records, and one that tells what a call touched.

moto answers a Query by comparing and sorting the whole table (1.0 s at 50,000 items) and backs a transaction up by
copying the table deeply once per item of it. Here a partition knows its order, so that a Query looks only at what can
match, and an item is copied when it is read, so that a backup may share the items. moto still decides what matches.
"""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table

_LAST = "\U0010ffff"
# A Query's candidates are cut to its limit and these: the item it starts after, one at an excluded bound, and one
# more, which tells moto that there is a next page.
_SLACK = 3


class Place(NamedTuple):
    """An item's table and keys, strings in every table of ours; `sort` is empty where a table has only one."""

    table: str
    partition: str
    sort: str = ""


class Partition(dict[DynamoType, Item]):
    """The items of one hash key by range key, which it also knows in order."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def __setitem__(self, key: DynamoType, item: Item) -> None:
        if key not in self:
            insort(self.order, key.value)
        super().__setitem__(key, item)

    def __delitem__(self, key: DynamoType) -> None:
        super().__delitem__(key)
        del self.order[bisect_left(self.order, key.value)]

    def pop(self, key: DynamoType, *default: Any) -> Any:
        if key not in self and default:
            return default[0]
        item = self[key]
        del self[key]
        return item

    def sharing_items(self) -> Partition:
        """Another partition with the same items."""
        twin = Partition()
        dict.update(twin, self)
        twin.order = self.order.copy()
        return twin

    def between(self, low: str, high: str, limit: int | None, *, newest_first: bool) -> dict[DynamoType, Item]:
        """The items from `low` to `high`, both included, at most `limit` from the end where reading begins."""
        first, last = bisect_left(self.order, low), bisect_right(self.order, high)
        if limit is not None:
            if newest_first:
                first = max(first, last - limit)
            else:
                last = min(last, first + limit)
        keys = (DynamoType({"S": value}) for value in self.order[first:last])
        return {key: self[key] for key in keys}


class OrderedTable(Table):
    """A table with a string hash key and a string range key. `touched` collects where items were read or written."""

    items: defaultdict[DynamoType, Partition]  # type: ignore[assignment]
    range_key_attr: str
    touched: set[Place]

    @classmethod
    def take_over(cls, table: Table, touched: set[Place]) -> OrderedTable:
        """Make moto's new, still empty table one of these."""
        table.__class__ = cls
        assert isinstance(table, cls)  # noqa: S101 - so it is now
        table.items = defaultdict(Partition)
        table.touched = touched
        return table

    def load(self, attributes: dict[str, Any]) -> Place:
        """Put an item without any of moto's checks (it passed them when it was written)."""
        attrs = LimitedSizeDict.__new__(LimitedSizeDict)
        for name, value in attributes.items():
            dict.__setitem__(attrs, name, DynamoType(value))
        item: Any = Item.__new__(Item)
        item.hash_key, item.range_key, item.attrs = attrs[self.hash_key_attr], attrs[self.range_key_attr], attrs
        self.items[item.hash_key][item.range_key] = item
        return Place(self.name, item.hash_key.value, item.range_key.value)

    def unload(self, place: Place) -> None:
        """Remove an item, if it is there, and its partition when that is empty."""
        hash_key = DynamoType({"S": place.partition})
        partition = self.items.get(hash_key)
        if partition is not None:
            partition.pop(DynamoType({"S": place.sort}), None)
            if not partition:
                del self.items[hash_key]

    def peek(self, place: Place) -> Item | None:
        partition = self.items.get(DynamoType({"S": place.partition}))
        return None if partition is None else partition.get(DynamoType({"S": place.sort}))

    def places(self) -> Iterator[tuple[Place, Item]]:
        for hash_key, partition in self.items.items():
            for range_key, item in partition.items():
                yield Place(self.name, hash_key.value, range_key.value), item

    # -- what moto calls ---------------------------------------------------------------------------------------------

    def put_item(self, item_attrs: dict[str, Any], *arguments: Any, **named: Any) -> Item:
        item = super().put_item(item_attrs, *arguments, **named)
        self.touched.add(Place(self.name, *(item_attrs[key]["S"] for key in self.table_key_attrs)))
        return item

    def delete_item(self, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
        if range_key is not None:
            self.touched.add(Place(self.name, hash_key.value, range_key.value))
        return super().delete_item(hash_key, range_key)

    def get_item(
        self, hash_key: DynamoType, range_key: DynamoType | None = None, projection_expression: Any = None
    ) -> Item | None:
        item = super().get_item(hash_key, range_key, projection_expression)
        if item is None or range_key is None or projection_expression:
            return item
        fresh = copy.deepcopy(item)  # an update changes what it got here: a transaction's backup keeps the old one
        self.items[hash_key][range_key] = fresh
        self.touched.add(Place(self.name, hash_key.value, range_key.value))
        return fresh

    def query(
        self,
        hash_key: DynamoType | None,
        range_comparison: str | None,
        range_objs: list[DynamoType],
        limit: int,
        exclusive_start_key: dict[str, Any],
        scan_index_forward: bool,
        projection_expressions: Any,
        index_name: str | None = None,
        *arguments: Any,
        **named: Any,
    ) -> Any:
        view: Any = self
        if index_name is None and hash_key is not None:
            low, high = _bounds(range_comparison, [each.value for each in range_objs])
            if exclusive_start_key:
                start = exclusive_start_key[self.range_key_attr]["S"]
                low, high = (low, min(high, start)) if scan_index_forward is False else (max(low, start), high)
            partition = self.items.get(hash_key, Partition())
            most = limit + _SLACK if limit else None  # moto gives None where there is none
            view = copy.copy(self)
            view.items = {hash_key: partition.between(low, high, most, newest_first=scan_index_forward is False)}
        return Table.query(
            view,
            hash_key,
            range_comparison,
            range_objs,
            limit,
            exclusive_start_key,
            scan_index_forward,
            projection_expressions,
            index_name,
            *arguments,
            **named,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> OrderedTable:
        twin = copy.copy(self)
        twin.items = defaultdict(Partition)
        for hash_key, partition in self.items.items():
            twin.items[hash_key] = partition.sharing_items()
        return twin


class SingleKeyTable(Table):
    """A small table with only a string hash key; for the rest as OrderedTable."""

    items: dict[DynamoType, Item]  # type: ignore[assignment]
    touched: set[Place]

    @classmethod
    def take_over(cls, table: Table, touched: set[Place]) -> SingleKeyTable:
        """Make moto's new, still empty table one of these."""
        table.__class__ = cls
        assert isinstance(table, cls)  # noqa: S101 - so it is now
        table.items = {}
        table.touched = touched
        return table

    def load(self, attributes: dict[str, Any]) -> Place:
        """Put an item without any of moto's checks (it passed them when it was written)."""
        attrs = LimitedSizeDict.__new__(LimitedSizeDict)
        for name, value in attributes.items():
            dict.__setitem__(attrs, name, DynamoType(value))
        item: Any = Item.__new__(Item)
        item.hash_key, item.range_key, item.attrs = attrs[self.hash_key_attr], None, attrs
        self.items[item.hash_key] = item
        return Place(self.name, item.hash_key.value)

    def unload(self, place: Place) -> None:
        """Remove an item, if it is there."""
        self.items.pop(DynamoType({"S": place.partition}), None)

    def peek(self, place: Place) -> Item | None:
        return self.items.get(DynamoType({"S": place.partition}))

    def places(self) -> Iterator[tuple[Place, Item]]:
        for hash_key, item in self.items.items():
            yield Place(self.name, hash_key.value), item

    def put_item(self, item_attrs: dict[str, Any], *arguments: Any, **named: Any) -> Item:
        item = super().put_item(item_attrs, *arguments, **named)
        self.touched.add(Place(self.name, item_attrs[self.hash_key_attr]["S"]))
        return item

    def delete_item(self, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
        self.touched.add(Place(self.name, hash_key.value))
        return super().delete_item(hash_key, range_key)

    def get_item(
        self, hash_key: DynamoType, range_key: DynamoType | None = None, projection_expression: Any = None
    ) -> Item | None:
        item = super().get_item(hash_key, range_key, projection_expression)
        if item is None or projection_expression:
            return item
        fresh = copy.deepcopy(item)  # an update changes what it got here: a transaction's backup keeps the old one
        self.items[hash_key] = fresh
        self.touched.add(Place(self.name, hash_key.value))
        return fresh

    def __deepcopy__(self, memo: dict[int, Any]) -> SingleKeyTable:
        twin = copy.copy(self)
        twin.items = dict(self.items)
        return twin


def _bounds(comparison: str | None, values: list[str]) -> tuple[str, str]:
    """The lowest and highest range key that a key condition can match, both perhaps excluded by it."""
    match (comparison or "").upper(), values:
        case (("=" | "EQ"), [value]):
            return value, value
        case (("<" | "<=" | "LT" | "LE"), [value]):
            return "", value
        case ((">" | ">=" | "GT" | "GE"), [value]):
            return value, _LAST
        case "BEGINS_WITH", [value]:
            return value, value + _LAST
        case "BETWEEN", [low, high]:
            return low, high
    return "", _LAST
