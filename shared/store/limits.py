"""The `limits` table: what each limited key has used, in one item, changed by one conditional update a time."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from shared.errors import RateLimited, StoreUnavailable
from shared.gateway.limits import Demand, Lease, Limits, Standing
from shared.store.limit_state import Moment, State, Update, check, reserve, settle, standing
from shared.store.tables import Tables, reaching

log = logging.getLogger(__name__)

# On Lambda a request knows when its time is up. Elsewhere nobody does: then this long, and a request that takes longer
# is counted when it ends.
_HELD_SECONDS = 3_600
_MARGIN_SECONDS = 30
_TURNS = 24
_MOST_REMEMBERED = 1_000
_FRESH_SECONDS = 0.2  # a refusal by a state this young is not asked for again: a flood costs five reads a second
# A request is settled after its client's last byte: the same client's next one may be here before that.
_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3)
_CONDITION_FAILED = "ConditionalCheckFailedException"


class _Seen(NamedTuple):
    state: State | None
    at: float


class LimitTable:
    """Items by key. Synchronous; raises StoreUnavailable. `now` gives seconds since 1970.

    What was seen last is remembered, so that a request is counted by one write and no read. It is a guess: the write's
    conditions are what counts.
    """

    def __init__(self, tables: Tables, *, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._now = now
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def connect(self) -> None:
        """Make the AWS client, so that no deadline has to cover it. No I/O."""
        self._tables.connect()

    def reserve(self, key_id: str, limits: Limits, demand: Demand, seconds: float | None) -> Lease:
        """Raises RateLimited."""
        lease_id = secrets.token_hex(5)
        seen = self._seen.get(key_id) or self._read(key_id)
        for _ in range(_TURNS):
            now = self._now()
            until = int(now + (_HELD_SECONDS if seconds is None else seconds + _MARGIN_SECONDS)) + 1
            try:
                update = reserve(seen.state, limits, demand, now, lease_id, until)
            except RateLimited:
                if 0 <= now - seen.at < _FRESH_SECONDS:
                    raise
                seen = self._read(key_id)
                self._recheck(seen, limits, demand)
                continue
            seen, done = self._write(key_id, update)
            state = seen.state
            # it may be there from a try whose answer was lost
            if state is not None and (done or lease_id in state.held):
                at = Moment.of(now, state)
                told = standing(state, limits, now)
                return Lease(key_id, lease_id if limits.held else "", demand, told, at.minute, at.day, until)
        raise StoreUnavailable("too many requests of one API key at once; try again", retry_after_seconds=1)

    def settle(self, lease: Lease, tokens: int, cost: int) -> None:
        seen, certain = self._seen.get(lease.key_id) or self._read(lease.key_id), False
        for _ in range(_TURNS):
            update = settle(seen.state, lease, tokens, cost, self._now()) if seen.state else None
            if update is not None:
                seen, certain = self._write(lease.key_id, update)
                if certain:
                    return
                certain = True  # a refused write tells what there is
            elif certain:
                return  # done by a try whose answer was lost, or the item has outlived its use
            else:
                seen, certain = self._read(lease.key_id), True
        raise StoreUnavailable("too many requests of one API key at once")

    def state(self, key_id: str) -> State:
        """As it is now, for an administrator."""
        return self._read(key_id).state or State()

    def _recheck(self, seen: _Seen, limits: Limits, demand: Demand) -> None:
        check(seen.state or State(), limits, demand, Moment.of(self._now(), seen.state))

    def _read(self, key_id: str) -> _Seen:
        arguments = {"TableName": self._name, "Key": {"key_id": {"S": key_id}}, "ConsistentRead": True}
        with reaching("the limits of a client key"):
            item = self._tables.connection.dispatch("GetItem", arguments).get("Item")
        return self._remember(key_id, item)

    def _write(self, key_id: str, update: Update) -> tuple[_Seen, bool]:
        """What the item is then, and whether it was written."""
        arguments = {
            "TableName": self._name,
            "Key": {"key_id": {"S": key_id}},
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **update.arguments(),
        }
        with reaching("the limits of a client key"):
            try:
                answer = self._tables.connection.dispatch("UpdateItem", arguments)
            except ClientError as failure:
                # PynamoDB's error leaves the item out; AWS's own, behind it, has it
                told: Any = failure.__cause__ if isinstance(failure.__cause__, ClientError) else failure
                if told.response.get("Error", {}).get("Code") != _CONDITION_FAILED:
                    raise
                return self._remember(key_id, told.response.get("Item")), False
        return self._remember(key_id, answer["Attributes"]), True

    def _remember(self, key_id: str, item: dict[str, Any] | None) -> _Seen:
        seen = _Seen(State.read(item) if item else None, self._now())
        with self._lock:
            self._seen[key_id] = seen
            self._seen.move_to_end(key_id)
            if len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
        return seen

    @property
    def _name(self) -> str:
        name: str = self._tables.limits.Meta.table_name
        return name


class TableLimiter:
    """Implements Limiter. A budget is kept or the request is refused; the limits of a minute are let go when the table
    does not answer, for they protect nothing that an outage of ours should take away."""

    def __init__(self, table: LimitTable) -> None:
        self._table = table
        self._connected = False

    async def reserve(self, key_id: str, limits: Limits, demand: Demand, seconds: float | None) -> Lease:
        if not self._connected:
            await asyncio.to_thread(self._table.connect)
            self._connected = True
        for pause in (*_PAUSES_SECONDS, None):
            try:
                return await asyncio.to_thread(self._table.reserve, key_id, limits, demand, seconds)
            except RateLimited as refused:
                if pause is None or not refused.may_pass:
                    raise
                await asyncio.sleep(pause)
            except StoreUnavailable as failure:
                if limits.budgeted:
                    raise
                log.warning("a request of key %s is not counted: %s", key_id, failure.message)
                break
        return Lease(key_id, "", demand, Standing())

    async def settle(self, lease: Lease, tokens: int, cost: int) -> None:
        try:
            await asyncio.to_thread(self._table.settle, lease, tokens, cost)
        except StoreUnavailable as failure:
            # what it holds falls back by itself
            log.warning("a request of key %s is not settled: %s", lease.key_id, failure.message)
