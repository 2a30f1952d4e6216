"""The roll-ups' store in DynamoDB: consistent reads by key, and transactions on condition of versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from shared.store.rollups import Held, Outrun, Place, Put
from shared.store.tables import RollupItem, Tables, code_of, reaching

_MOST_READ = 100  # DynamoDB's limit for one BatchGetItem
# the transaction met another one, or was throttled: nothing was written
_OUTRUN = frozenset(
    {"ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
_OUTRUN_CALLS = frozenset({"TransactionInProgressException", "TransactionConflictException"})


class RollupTable:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def read(self, places: Sequence[Place]) -> Mapping[Place, Held]:
        found: dict[Place, Held] = {}
        with reaching("the roll-ups"):
            for start in range(0, len(places), _MOST_READ):
                some = [tuple(place) for place in places[start : start + _MOST_READ]]
                for item in self._tables.rollups.batch_get(some, consistent_read=True):
                    found[Place(item.dimension, item.moment)] = Held(item.content, int(item.version))
        return found

    def write(self, puts: Sequence[Put]) -> None:
        with reaching("the roll-ups"):
            try:
                with TransactWrite(connection=self._tables.connection) as transaction:
                    for put in puts:
                        version = self._tables.rollups.version
                        unchanged = version == put.seen if put.seen else version.does_not_exist()
                        transaction.save(self._item(put), condition=unchanged)
            except TransactWriteError as failure:
                codes = {reason.code for reason in failure.cancellation_reasons if reason}
                if codes & _OUTRUN or code_of(failure) in _OUTRUN_CALLS:
                    raise Outrun from failure
                raise

    def _item(self, put: Put) -> RollupItem:
        return self._tables.rollups(
            put.place.dimension,
            put.place.moment,
            content=put.content,
            version=put.seen + 1,
            expires_at=put.expires_at,
        )
