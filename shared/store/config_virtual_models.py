"""Virtual models as stored: listed, read, created, changed and deleted, and what they cost when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.gateway.catalog import VirtualModel
from shared.store.change import Change
from shared.store.config_edits import Edits, unless_outrun, until_settled
from shared.store.config_items import virtual_model_of
from shared.store.config_records import VirtualModelRecord
from shared.store.price_history import PricesSince, read_prices
from shared.store.refusals import Conflict
from shared.store.stored_secrets import check_headers, keeps_secrets


class VirtualModels(Edits):
    def list_virtual_models(self) -> list[VirtualModelRecord]:
        """All virtual models by name."""
        return sorted(self._items.load().virtual_models, key=lambda each: each.name)

    def get_virtual_model(self, virtual_model_id: int) -> VirtualModelRecord:
        """Raises NotFound."""
        return virtual_model_of(self._items.one("virtual_model", virtual_model_id))

    def list_prices(self, virtual_model_id: int) -> list[PricesSince]:
        """What it cost since when, the oldest first; also of one that is deleted. Empty when it never had prices."""
        return read_prices(self._tables, virtual_model_id)

    def create_virtual_model(self, value: VirtualModel) -> VirtualModelRecord:
        """Raises DuplicateName, or InvalidRequest when a target's endpoint does not exist."""
        value = replace(value, id=value.id or self.allocate_id("virtual_model"))

        def attempt() -> VirtualModelRecord:
            change = Change(self._tables)
            created = self._create(change, VirtualModelRecord(value))
            self._check_targets(change, value.targets)
            change.commit()
            return created

        return until_settled(attempt)

    def update_virtual_model(
        self, virtual_model_id: int, changes: Mapping[str, Any], expected: int | None = None
    ) -> VirtualModelRecord:
        """Set the named fields; as `update_endpoint`, and InvalidRequest when a target's endpoint does not exist or
        would be sent a stored secret header."""

        def attempt() -> VirtualModelRecord:
            current = self.get_virtual_model(virtual_model_id)
            changed = self._successor(current, replace(current, value=replace(current.value, **changes)), expected)
            change = Change(self._tables)
            self._replace(change, current, changed)
            if changed.value.targets != current.value.targets:
                self._check_targets(change, changed.value.targets)
                if keeps_secrets(current.value, changed.value):
                    found = self._items.load()
                    check_headers(current.value, changed.value, {each.id: each for each in found.endpoints})
                    change.only_if_nothing_changed_since(found.version)
            change.commit()
            return changed

        return until_settled(lambda: unless_outrun(attempt))

    def delete_virtual_model(self, virtual_model_id: int, expected: int | None = None) -> None:
        """Raises NotFound or Conflict."""

        def attempt() -> None:
            current = self.get_virtual_model(virtual_model_id)
            if expected not in (None, current.version):
                raise Conflict(current)
            change = Change(self._tables)
            self._delete(change, current)
            change.commit()

        until_settled(lambda: unless_outrun(attempt))
