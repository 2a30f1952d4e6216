"""What each function may do, on one screen: table by table, action by action, key by key. Nothing else is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

KeyUse: TypeAlias = Literal["encrypt", "decrypt"]
SealedFor: TypeAlias = Literal["endpoint", "virtual_model"]


class TableGrant(NamedTuple):
    """`scopes` are the partition keys that may be touched; empty: all of the table."""

    table: str
    actions: tuple[str, ...]
    scopes: tuple[str, ...] = ()


class KeyGrant(NamedTuple):
    """A use of the key under providers' secrets. `sealed_for` is the one name in the encryption context, by which a
    secret is bound to its record (shared/store/seal.py)."""

    use: KeyUse
    sealed_for: SealedFor


class Grant(NamedTuple):
    tables: tuple[TableGrant, ...] = ()
    provider_keys: tuple[KeyGrant, ...] = ()

    def uses(self, use: KeyUse) -> bool:
        return any(each.use == use for each in self.provider_keys)


READ_CATALOG = TableGrant("config", ("Query", "GetItem"), ("config",))
READ_HEALTH = TableGrant("config", ("Query",), ("health",))
NOTE_HEALTH = TableGrant("config", ("PutItem",), ("health",))
WRITE_LEDGER = TableGrant("ledger", ("PutItem", "BatchWriteItem"))
READ_LEDGER = TableGrant("ledger", ("Query",))
# a transaction needs the permission of each thing in it
CHANGE_CONFIG = TableGrant(
    "config", ("PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"), ("config", "name", "counter", "health")
)

READ_PRICES = TableGrant("config", ("Query",), ("prices",))
NOTE_PRICES = TableGrant("config", ("PutItem",), ("prices",))

# UpdateItem: when a key was last used
CHECK_KEY = TableGrant("api_keys", ("GetItem", "UpdateItem"))
CHANGE_KEYS = TableGrant("api_keys", ("Scan", "GetItem", "PutItem", "UpdateItem", "DeleteItem"))

# what a limited key has used: counted by client functions, shown to administrators
COUNT_USE = TableGrant("limits", ("GetItem", "UpdateItem"))
READ_USE = TableGrant("limits", ("GetItem",))

# each change writes its own line
WRITE_AUDIT = TableGrant("audit", ("PutItem",))
READ_AUDIT = TableGrant("audit", ("Query",))

READ_ROLLUPS = TableGrant("rollups", ("Query", "BatchGetItem"))
COUNT = TableGrant("rollups", ("BatchGetItem", "PutItem"))
NAME_KEYS = TableGrant("api_keys", ("BatchGetItem",))

SEAL_KEY, REVEAL_KEY = KeyGrant("encrypt", "endpoint"), KeyGrant("decrypt", "endpoint")
SEAL_HEADER, REVEAL_HEADER = KeyGrant("encrypt", "virtual_model"), KeyGrant("decrypt", "virtual_model")

ANSWER = Grant((READ_CATALOG, NOTE_HEALTH, WRITE_LEDGER, CHECK_KEY, COUNT_USE), (REVEAL_KEY, REVEAL_HEADER))

GRANTS: Mapping[str, Grant] = {
    "chat_completions": ANSWER,
    "completions": ANSWER,
    "embeddings": ANSWER,
    "models": Grant((READ_CATALOG, CHECK_KEY)),
    "health": Grant((READ_CATALOG, READ_HEALTH)),
    "admin_endpoints": Grant((READ_CATALOG, CHANGE_CONFIG, WRITE_AUDIT), (SEAL_KEY,)),
    "admin_endpoint_probe": Grant((READ_CATALOG, NOTE_HEALTH), (REVEAL_KEY,)),
    "admin_virtual_models": Grant((READ_CATALOG, CHANGE_CONFIG, READ_PRICES, NOTE_PRICES, WRITE_AUDIT), (SEAL_HEADER,)),
    "admin_api_keys": Grant((CHANGE_KEYS, READ_USE, WRITE_AUDIT)),
    "admin_tool_patterns": Grant((READ_CATALOG, CHANGE_CONFIG, WRITE_AUDIT)),
    "admin_activity": Grant((READ_LEDGER,)),
    "admin_usage": Grant((READ_ROLLUPS, NAME_KEYS)),
    "admin_usage_export": Grant((READ_LEDGER, READ_ROLLUPS, NAME_KEYS)),
    "admin_settings": Grant((READ_CATALOG, CHANGE_CONFIG, WRITE_AUDIT)),
    # it writes whatever the functions above write
    "admin_config": Grant((READ_CATALOG, CHANGE_CONFIG, NOTE_PRICES, WRITE_AUDIT), (SEAL_KEY, SEAL_HEADER)),
    "admin_audit": Grant((READ_AUDIT,)),
    "admin_session": Grant(),
    # reading the stream itself is granted with the event source
    "usage_rollup": Grant((COUNT,)),
}
