"""The settings that administrators may change, as one item beside the configuration's records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared import wire
from shared.gateway.stored_settings import StoredSettings
from shared.store.audit_entry import settings_entry
from shared.store.change import CONFIG_SCOPE, Change
from shared.store.config_edits import Edits, unless_outrun, until_settled
from shared.store.config_items import SETTINGS_KEY, settings_of
from shared.store.refusals import Conflict
from shared.store.tables import reaching


class SettingsRecord(NamedTuple):
    """`version` 0: nothing was ever set."""

    value: StoredSettings = StoredSettings()
    version: int = 0
    updated_at: int = 0


class SettingsStore(Edits):
    def get_settings(self) -> SettingsRecord:
        config = self._tables.config
        with reaching("the settings"):
            try:
                item = config.get(CONFIG_SCOPE, SETTINGS_KEY, consistent_read=True)
            except config.DoesNotExist:
                return SettingsRecord()
        return SettingsRecord(settings_of(item), int(item.version or 0), int(item.updated_at or 0))

    def change_settings(self, changes: Mapping[str, Any], expected: int | None = None) -> SettingsRecord:
        """Set what is named, None leaves it to the environment again. Raises Conflict."""

        def attempt() -> SettingsRecord:
            current = self.get_settings()
            if expected not in (None, current.version):
                raise Conflict(current)
            value = current.value._replace(**changes)
            if value == current.value:
                return current
            changed = SettingsRecord(value, current.version + 1, self._seconds())
            config = self._tables.config
            item = config(
                CONFIG_SCOPE,
                SETTINGS_KEY,
                document=wire.dumps(_set(value)).decode(),
                version=changed.version,
                updated_at=changed.updated_at,
            )
            unchanged = config.version == current.version if current.version else config.key.does_not_exist()
            change = Change(self._tables)
            change.put(item, unchanged, Conflict(current))
            change.note(settings_entry(_set(current.value), _set(value)), self._now())
            change.commit()
            return changed

        return until_settled(lambda: unless_outrun(attempt))


def _set(value: StoredSettings) -> dict[str, Any]:
    return {name: each for name, each in value._asdict().items() if each is not None}
