"""Tool patterns and the switches of built-in formats as stored: listed, read, created, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.store.audit_entry import formats_entry
from shared.store.change import CONFIG_SCOPE, Change
from shared.store.config_edits import Edits, unless_outrun, until_settled
from shared.store.config_items import FORMATS_KEY, formats_of, tool_pattern_of
from shared.store.config_records import FormatSwitches, ToolPatternRecord
from shared.store.refusals import Conflict
from shared.store.tables import reaching


class ToolPatterns(Edits):
    def list_tool_patterns(self) -> tuple[list[ToolPatternRecord], FormatSwitches]:
        """All patterns by priority, the highest first, and the built-in formats that were switched."""
        found = self._items.load()
        return by_priority(found.tool_patterns), found.formats

    def get_tool_pattern(self, tool_pattern_id: int) -> ToolPatternRecord:
        """Raises NotFound."""
        return tool_pattern_of(self._items.one("tool_pattern", tool_pattern_id))

    def get_formats(self) -> FormatSwitches:
        """The built-in formats that were switched."""
        config = self._tables.config
        with reaching("the formats"):
            try:
                return formats_of(config.get(CONFIG_SCOPE, FORMATS_KEY, consistent_read=True))
            except config.DoesNotExist:
                return FormatSwitches()

    def create_tool_pattern(self, record: ToolPatternRecord) -> ToolPatternRecord:
        """Raises DuplicateName."""
        record = replace(record, id=record.id or self.allocate_id("tool_pattern"))

        def attempt() -> ToolPatternRecord:
            change = Change(self._tables)
            created = self._create(change, record)
            change.commit()
            return created

        return until_settled(attempt)

    def update_tool_pattern(
        self, tool_pattern_id: int, changes: Mapping[str, Any], expected: int | None = None
    ) -> ToolPatternRecord:
        """Set the named fields; as `update_endpoint`."""

        def attempt() -> ToolPatternRecord:
            current = self.get_tool_pattern(tool_pattern_id)
            changed = self._successor(current, replace(current, **changes), expected)
            change = Change(self._tables)
            self._replace(change, current, changed)
            change.commit()
            return changed

        return until_settled(lambda: unless_outrun(attempt))

    def delete_tool_pattern(self, tool_pattern_id: int, expected: int | None = None) -> None:
        """Raises NotFound or Conflict."""

        def attempt() -> None:
            current = self.get_tool_pattern(tool_pattern_id)
            if expected not in (None, current.version):
                raise Conflict(current)
            change = Change(self._tables)
            self._delete(change, current)
            change.commit()

        until_settled(lambda: unless_outrun(attempt))

    def switch_format(self, format_id: str, enabled: bool) -> FormatSwitches:
        """Switch a built-in format on or off; what it already is, is not written."""

        def attempt() -> FormatSwitches:
            current = self.get_formats()
            on, off = current.switched(format_id, enabled)
            if (on, off) == (current.on, current.off):
                return current
            now = self._seconds()
            changed = FormatSwitches(on, off, current.version + 1, current.created_at or now, now)
            config = self._tables.config
            unchanged = config.version == current.version if current.version else config.key.does_not_exist()
            change = Change(self._tables)
            change.put(self._items.of_formats(changed), unchanged, Conflict(current))
            change.note(formats_entry(current, changed), self._now())
            change.commit()
            return changed

        return until_settled(lambda: unless_outrun(attempt))


def by_priority(records: list[ToolPatternRecord]) -> list[ToolPatternRecord]:
    return sorted(records, key=lambda each: (-each.priority, each.id))
