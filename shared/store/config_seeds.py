"""What a new deployment begins with: planted once in the life of its tables, never over an edit or a deletion."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.store.change import Change
from shared.store.config_edits import Edits, until_settled
from shared.store.config_items import SEED_SCOPE
from shared.store.config_records import EndpointRecord, ToolPatternRecord, VirtualModelRecord
from shared.store.refusals import Conflict, DuplicateName
from shared.store.tables import reaching

DEMO_ENDPOINT = EndpointRecord(name="demo", url="demo://built-in", endpoint_type="demo")
DEMO_VIRTUAL_MODEL = VirtualModel(
    id=0, name="demo", targets=(), description="Built in: answers without a provider, for first steps and tests"
)


class Seeds(Edits):
    def plant_seeds(self) -> bool:
        """Write the demo endpoint and its virtual model, once in the life of the tables; says whether it did.

        The original's tool patterns likewise. A marker in the same transaction remembers each, so that an
        administrator's edit or deletion stays; tables that are older than a seed get it once, too.
        """
        self.plant_tool_patterns()
        return "demo" not in self._planted() and self._plant_demo()

    def plant_tool_patterns(self) -> None:
        """The patterns alone: a deployment in the cloud has no use for a demo."""
        if "tool_patterns" not in self._planted():
            self._plant_tool_patterns()

    def _planted(self) -> set[str]:
        with reaching("the seeds"):
            return {item.key for item in self._tables.config.query(SEED_SCOPE, consistent_read=True)}

    def _plant_demo(self) -> bool:
        endpoint = replace(DEMO_ENDPOINT, id=self.allocate_id("endpoint"))
        value = replace(
            DEMO_VIRTUAL_MODEL,
            id=self.allocate_id("virtual_model"),
            targets=(TargetSpec(endpoint_id=endpoint.id, actual_model="demo"),),
        )
        change = Change(self._tables)
        self._mark_planted(change, "demo")
        self._create(change, endpoint)
        self._create(change, VirtualModelRecord(value))
        try:
            until_settled(change.commit)
        except (Conflict, DuplicateName):
            return False  # another process planted them, or an administrator took the name first
        return True

    def _plant_tool_patterns(self) -> None:
        """All of the defaults in one transaction, but those whose names an administrator already uses."""
        from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS  # read once in the life of the tables

        last = self.allocate_id("tool_pattern", len(DEFAULT_PATTERNS))
        ids = range(last - len(DEFAULT_PATTERNS) + 1, last + 1)
        defaults = [ToolPatternRecord(id=each, **row) for each, row in zip(ids, DEFAULT_PATTERNS, strict=True)]

        def attempt() -> None:
            found = self._items.load()
            taken = {each.name for each in found.tool_patterns}
            change = Change(self._tables)
            change.only_if_nothing_changed_since(found.version)
            self._mark_planted(change, "tool_patterns")
            for record in defaults:
                if record.name not in taken:
                    self._create(change, record)
            change.commit()

        with suppress(Conflict):  # another process planted them
            until_settled(attempt)

    def _mark_planted(self, change: Change, seed: str) -> None:
        config = self._tables.config
        marker = config(SEED_SCOPE, seed, created_at=self._seconds())
        change.put(marker, config.key.does_not_exist(), Conflict(None))
