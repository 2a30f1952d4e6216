"""What client keys are called, for lists that know only their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.store.tables import Tables, reaching

_MOST_READ = 100  # DynamoDB's limit for one BatchGetItem


class KeyLabels:
    """Synchronous; raises StoreUnavailable."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, key_ids: Iterable[str]) -> Mapping[str, str]:
        """The labels of those that there are, revoked ones too: a read by key for each hundred, no scan."""
        wanted, found = sorted(set(key_ids)), {}
        with reaching("the client keys"):
            for start in range(0, len(wanted), _MOST_READ):
                for item in self._tables.api_keys.batch_get(wanted[start : start + _MOST_READ]):
                    found[item.key_id] = item.label or ""
        return found
