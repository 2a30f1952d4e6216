"""The tables as PynamoDB models, bound to names, an address and a patience only when a process asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException
from pynamodb.models import Model

from shared.errors import StoreUnavailable

_M = TypeVar("_M", bound=Model)


class Patience(NamedTuple):
    """How long one call may take: seconds to connect, seconds of silence, and how often it is tried again."""

    connect_seconds: float
    read_seconds: float
    retries: int


REQUEST_PATH = Patience(connect_seconds=0.25, read_seconds=0.25, retries=1)
ADMIN_PATH = Patience(connect_seconds=2.0, read_seconds=2.0, retries=2)


class ConfigItem(Model):
    """One item of the `config` table; which attributes are set depends on its scope (docs/adr/0002)."""

    scope = UnicodeAttribute(hash_key=True)
    key = UnicodeAttribute(range_key=True)
    document = UnicodeAttribute(null=True)  # JSON
    sealed_key = BinaryAttribute(legacy_encoding=False, null=True)
    version = NumberAttribute(null=True)
    owner = NumberAttribute(null=True)  # the id that holds a name
    created_at = NumberAttribute(null=True)  # seconds since 1970
    updated_at = NumberAttribute(null=True)


class LedgerItem(Model):
    """One item of the `ledger` table: keys, the end of its life, and the record as JSON (docs/adr/0002)."""

    bucket = UnicodeAttribute(hash_key=True)  # day#shard
    moment = UnicodeAttribute(range_key=True)  # time#request#attempt
    expires_at = NumberAttribute(null=True)  # seconds since 1970
    document = UnicodeAttribute()


class ApiKeyItem(Model):
    """One item of the `api_keys` table: a client key without the key, or who bears a label (docs/access.md)."""

    key_id = UnicodeAttribute(hash_key=True)
    secret_hash = UnicodeAttribute(null=True)  # SHA-256 in hexadecimal
    prefix = UnicodeAttribute(null=True)
    label = UnicodeAttribute(null=True)
    notes = UnicodeAttribute(null=True)
    enabled = BooleanAttribute(null=True)
    version = NumberAttribute(null=True)
    owner = UnicodeAttribute(null=True)  # the key that holds a label, or a secret that is not its first
    created_at = NumberAttribute(null=True)  # seconds since 1970, as the others
    updated_at = NumberAttribute(null=True)
    revoked_at = NumberAttribute(null=True)
    last_used_at = NumberAttribute(null=True)
    expires_at = NumberAttribute(null=True)  # it then opens nothing; the item stays
    previous_hash = UnicodeAttribute(null=True)  # the secret before the last rotation
    previous_until = NumberAttribute(null=True)
    limits = UnicodeAttribute(null=True)  # JSON


class LimitItem(Model):
    """One item of the `limits` table: what a limited key has used (docs/adr/0011). Its other attributes are read and
    written by expressions of our own (shared/store/limit_state.py)."""

    key_id = UnicodeAttribute(hash_key=True)
    expires_at = NumberAttribute(null=True)  # seconds since 1970


class RollupItem(Model):
    """One item of the `rollups` table: packed counters, or what was counted already (docs/adr/0008)."""

    dimension = UnicodeAttribute(hash_key=True)
    moment = UnicodeAttribute(range_key=True)
    content = BinaryAttribute(legacy_encoding=False)
    version = NumberAttribute()  # how often it was written
    expires_at = NumberAttribute(null=True)  # seconds since 1970


class AuditItem(Model):
    """One item of the `audit` table: who changed what when, as JSON (shared/store/audit.py)."""

    bucket = UnicodeAttribute(hash_key=True)  # YYYY-MM
    moment = UnicodeAttribute(range_key=True)  # ms since 1970, and a random word
    expires_at = NumberAttribute(null=True)  # seconds since 1970
    document = UnicodeAttribute()


class Tables:
    """The tables of one deployment behind one client. Building it does no I/O; the client is made on first use.

    `endpoint` None leaves the address to the AWS environment (`AWS_ENDPOINT_URL_DYNAMODB`). `audit_days` is how long
    what is written into the audit log stays there.
    """

    def __init__(
        self,
        prefix: str,
        *,
        region: str,
        endpoint: str | None = None,
        patience: Patience = ADMIN_PATH,
        audit_days: int = 400,
    ) -> None:
        self.audit_days = audit_days
        # One connection for all tables: PynamoDB would make one a model, and a botocore client costs 150 ms of CPU.
        self.connection = Connection(
            region=region,
            host=endpoint,
            connect_timeout_seconds=patience.connect_seconds,
            read_timeout_seconds=patience.read_seconds,
            max_retry_attempts=patience.retries,
        )
        self.config = self._bound(ConfigItem, f"{prefix}-config")
        self.ledger = self._bound(LedgerItem, f"{prefix}-ledger")
        self.api_keys = self._bound(ApiKeyItem, f"{prefix}-api_keys")
        self.rollups = self._bound(RollupItem, f"{prefix}-rollups")
        self.limits = self._bound(LimitItem, f"{prefix}-limits")
        self.audit = self._bound(AuditItem, f"{prefix}-audit")

    def connect(self) -> None:
        """Make the client now, so that no deadline has to cover its 150 ms of CPU. No I/O."""
        _ = self.connection.client

    def key_names(self) -> dict[str, tuple[str, ...]]:
        """The hash key and, where there is one, the range key of each table by its full name; all are strings."""
        return {
            self.config.Meta.table_name: ("scope", "key"),
            self.ledger.Meta.table_name: ("bucket", "moment"),
            self.api_keys.Meta.table_name: ("key_id",),
            self.rollups.Meta.table_name: ("dimension", "moment"),
            self.limits.Meta.table_name: ("key_id",),
            self.audit.Meta.table_name: ("bucket", "moment"),
        }

    def create_missing(self) -> None:
        """Create the tables that do not exist; for the laptop and the tests, in the cloud CDK owns them."""
        with reaching("the tables"):
            existing = set(self.connection.list_tables()["TableNames"])
            for model in (self.config, self.ledger, self.api_keys, self.rollups, self.limits, self.audit):
                if model.Meta.table_name not in existing:
                    model.create_table(wait=True)

    def _bound(self, model: type[_M], name: str) -> type[_M]:
        meta = type("Meta", (), {"table_name": name, "billing_mode": "PAY_PER_REQUEST", "max_retry_attempts": 3})
        bound: type[_M] = type(model.__name__, (model,), {"Meta": meta, "__module__": model.__module__})
        table = bound._get_connection()
        self.connection.add_meta_table(table.connection.get_meta_table(name))
        table.connection = self.connection
        return bound


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Raise StoreUnavailable, naming `what` and AWS's code, for every failure of AWS or of the way to it."""
    try:
        yield
    except (PynamoDBException, BotoCoreError, ClientError) as failure:
        raise StoreUnavailable(f"the store could not be asked for {what} ({_reason(failure)}); try again") from failure


def _reason(failure: Exception) -> str:
    cause = getattr(failure, "cause", None) or failure
    if isinstance(cause, ClientError):
        return cause.response.get("Error", {}).get("Code", "ClientError")
    return type(cause).__name__


def code_of(failure: PynamoDBException) -> str:
    """What DynamoDB calls the failure; empty when it did not answer.

    PynamoDB's own property raises AttributeError then: the response of botocore's timeouts is None.
    """
    response = getattr(failure.cause, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
