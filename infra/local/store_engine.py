"""moto's DynamoDB with a disk under it: a change is answered when it is there.

One call at a time: moto has no locks, and its transactions are only as atomic as its caller makes them.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.responses import DynamoHandler

from infra.local.store_disk import Change, RedoFile
from infra.local.store_tables import OrderedTable, Place, SingleKeyTable
from shared import wire

Attributes: TypeAlias = dict[str, dict[str, Any]]  # as DynamoDB's JSON has them

# One account and one region, whatever a client's credentials and region are: the tables are the same.
_ACCOUNT = "123456789012"
_REGION = "us-east-1"
_URL = f"http://dynamodb.{_REGION}.amazonaws.com/"
_TARGET = "DynamoDB_20120810"

# Their results are plain JSON in DynamoDB's shape.
_PLAIN = frozenset({"GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "BatchGetItem"})
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_ITEMS_A_LINE = 100
_TRANSACTIONS_KNOWN = 1_000  # a client asks again within seconds


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Engine:
    """The tables in memory and their file. Items of the `volatile` tables are not kept: they have a disk elsewhere.

    Items of a table in `apart` are kept in a file of their own: what changes all the time does not make who watches the
    others' file look again. A transaction over both files is whole in memory, but a kill may tear it.
    """

    def __init__(
        self,
        redo: RedoFile,
        *,
        volatile: frozenset[str] = frozenset(),
        apart: Mapping[str, RedoFile] | None = None,
    ) -> None:
        self._redo = redo
        self._apart = dict(apart or {})
        self._volatile = volatile
        self._creations: dict[str, Any] = {}
        self._touched: set[Place] = set()
        self._done: OrderedDict[str, Answer] = OrderedDict()  # transactions by their tokens
        self._load()

    def ensure_table(self, name: str, hash_key: str, range_key: str | None = None) -> None:
        """Create a table with one or two string keys, if it is missing."""
        if name in self._creations:
            return
        keys = {hash_key: "HASH", **({range_key: "RANGE"} if range_key else {})}
        request = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role in keys.items()],
        }
        self.call("CreateTable", wire.dumps(request))

    def table(self, name: str) -> OrderedTable:
        """A table with two keys."""
        found = self._backend.tables[name]
        assert isinstance(found, OrderedTable)  # noqa: S101 - every table is taken over
        return found

    def call(self, operation: str, body: bytes) -> Answer:
        """Do what a DynamoDB client asks. A change whose answer is 200 is on disk.

        Raises OSError when it cannot be; then, as after any exception, the tables are what the disk says.
        A transaction that was done is not done again: its client, whose patience was shorter, is told that it was.
        """
        token = _token(body) if operation == "TransactWriteItems" else ""
        if token in self._done:
            return self._done[token]
        self._touched.clear()
        try:
            answer = self._ask_moto(operation, body)
            if answer.status == 200:
                self._append(self._changes(operation, body))
        except BaseException:  # whatever it was, memory must not know more than the disk
            self._load()
            raise
        if token and answer.status == 200:
            self._done[token] = answer
            if len(self._done) > _TRANSACTIONS_KNOWN:
                self._done.popitem(last=False)
        self._shorten()
        return answer

    def put(self, name: str, items: Sequence[Attributes]) -> None:
        """Put items into a table together, without moto's checks and a hundred times as fast. They are on disk when
        this returns; raises OSError, and nothing has changed."""
        self._append([["put", name, item] for item in items])
        for item in items:
            self._taken(name).load({key: _revived(value) for key, value in item.items()})
        self._shorten()

    def close(self) -> None:
        for redo in (self._redo, *self._apart.values()):
            redo.close()

    def _append(self, changes: list[Change]) -> None:
        files: dict[RedoFile, list[Change]] = {}
        for change in changes:
            name = change[1]["TableName"] if change[0] == "create" else change[1]
            files.setdefault(self._apart.get(name, self._redo), []).append(change)
        for redo, some in files.items():
            redo.append(some)

    def _shorten(self) -> None:
        if self._redo.has_grown:
            self._redo.rewrite(self._everything())
        for name, redo in self._apart.items():
            if redo.has_grown:
                redo.rewrite(self._whole(name))

    def _taken(self, name: str) -> OrderedTable | SingleKeyTable:
        found = self._backend.tables[name]
        assert isinstance(found, OrderedTable | SingleKeyTable)  # noqa: S101 - every table is taken over
        return found

    @property
    def _backend(self) -> DynamoDBBackend:
        return dynamodb_backends[_ACCOUNT][_REGION]

    def _ask_moto(self, operation: str, body: bytes) -> Answer:
        headers = {
            "Host": f"dynamodb.{_REGION}.amazonaws.com",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{_TARGET}.{operation}",
        }
        status, answer_headers, content = _Handler.dispatch(Request.from_primitives("POST", _URL, headers, body))
        encoded = content if isinstance(content, bytes) else content.encode()
        return Answer(int(status), {str(name): str(value) for name, value in answer_headers.items()}, encoded)

    def _changes(self, operation: str, body: bytes) -> list[Change]:
        """What the call changed, told as results."""
        if operation == "CreateTable":
            request = wire.loads(body)
            self._adopt(request)
            return [["create", request]]
        if operation == "DeleteTable":
            name = wire.loads(body)["TableName"]
            self._creations.pop(name, None)
            return [["drop", name]]
        if operation not in _WRITES:
            return []
        return [self._change(place) for place in sorted(self._touched) if place.table not in self._volatile]

    def _change(self, place: Place) -> Change:
        item = self._taken(place.table).peek(place)
        return ["delete", *place] if item is None else ["put", place.table, _attributes(item)]

    def _adopt(self, request: Any) -> None:
        name = request["TableName"]
        self._creations[name] = request
        table = self._backend.tables[name]
        (OrderedTable if table.has_range_key else SingleKeyTable).take_over(table, self._touched)

    def _everything(self) -> Iterator[list[Change]]:
        for name in self._creations:
            if name not in self._apart:
                yield from self._whole(name)

    def _whole(self, name: str) -> Iterator[list[Change]]:
        """The table, if there is one, and its items where they are kept."""
        if name not in self._creations:
            return
        yield [["create", self._creations[name]]]
        changes: list[Change] = []
        for _, item in () if name in self._volatile else self._taken(name).places():
            changes.append(["put", name, _attributes(item)])
            if len(changes) == _ITEMS_A_LINE:
                yield changes
                changes = []
        if changes:
            yield changes

    def _load(self) -> None:
        """Forget everything (but the volatile items) and read the disk."""
        kept = {name: self.table(name).items for name in self._volatile if name in self._backend.tables}
        self._backend.reset()
        self._creations.clear()
        for redo in (self._redo, *self._apart.values()):
            for changes in redo.read():
                for change in changes:
                    self._apply(change)
        for name, items in kept.items():
            self.table(name).items = items

    def _apply(self, change: Change) -> None:
        match change:
            case ["put", name, item]:
                self._taken(name).load({key: _revived(value) for key, value in item.items()})
            case ["delete", *place]:
                self._taken(place[0]).unload(Place(*place))
            case ["create", request]:
                self._ask_moto("CreateTable", wire.dumps(request))
                self._adopt(request)
            case ["drop", name]:
                self._creations.pop(name)
                self._backend.tables.pop(name)


class _Handler(DynamoHandler):
    def serialized(self, action_result: ActionResult) -> Any:
        """moto walks each result along botocore's model of the service: nine tenths of the time of a Query."""
        result = action_result.result
        if self._get_action() not in _PLAIN or not isinstance(result, dict):
            return super().serialized(action_result)
        headers = {"Content-Type": "application/x-amz-json-1.0", **self.response_headers}
        return 200, headers, orjson.dumps(result, default=_base64)


def _token(body: bytes) -> str:
    """The client's word for this transaction; botocore makes one up and repeats it with each attempt."""
    try:
        request = wire.loads(body)
    except ValueError:
        return ""  # moto says what is wrong with it
    token = request.get("ClientRequestToken") if isinstance(request, dict) else None
    return token if isinstance(token, str) else ""


def _base64(content: Any) -> str:
    return base64.b64encode(content).decode()


def _attributes(item: Item) -> dict[str, Any]:
    return {name: _plain(value) for name, value in item.attrs.items()}


def _plain(value: DynamoType) -> dict[str, Any]:
    """As DynamoDB's JSON: binaries in base64."""
    match value.type, value.value:
        case "M", items:
            return {"M": {name: _plain(each) for name, each in items.items()}}
        case "L", items:
            return {"L": [_plain(each) for each in items]}
        case "B", bytes(content):
            return {"B": base64.b64encode(content).decode()}
        case "BS", items:
            return {"BS": [base64.b64encode(each).decode() if isinstance(each, bytes) else each for each in items]}
    return {value.type: value.value}


def _revived(value: dict[str, Any]) -> dict[str, Any]:
    """As moto keeps it: binaries as bytes."""
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {"M": {name: _revived(each) for name, each in content.items()}}
        case "L":
            return {"L": [_revived(each) for each in content]}
        case "B":
            return {"B": base64.b64decode(content)}
        case "BS":
            return {"BS": [base64.b64decode(each) for each in content]}
    return value
