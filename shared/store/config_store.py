"""What administrators define: read, created, changed and deleted; no change is lost and no name is taken twice.

Synchronous: call it from a thread. Every method raises StoreUnavailable when AWS does not answer.
"""

from __future__ import annotations

from shared.gateway.catalog import Catalog, by_name
from shared.store.change import CONFIG_SCOPE, VERSION_KEY
from shared.store.config_endpoints import Endpoints
from shared.store.config_seeds import Seeds
from shared.store.config_settings import SettingsStore
from shared.store.config_tool_patterns import ToolPatterns, by_priority
from shared.store.config_virtual_models import VirtualModels
from shared.store.tables import reaching


class ConfigStore(Endpoints, VirtualModels, ToolPatterns, SettingsStore, Seeds):
    """The `config` table as records. `now` gives seconds since 1970."""

    def connect(self) -> None:
        """Make the AWS client, so that no deadline has to cover it. No I/O."""
        self._tables.connect()

    def read_version(self) -> int:
        """The configuration's version; 0 when nothing was ever written."""
        with reaching("the configuration's version"):
            items = list(self._tables.config.query(CONFIG_SCOPE, self._tables.config.key == VERSION_KEY))
        return int(items[0].version or 0) if items else 0

    def load_catalog(self) -> Catalog:
        """Everything the data path needs, from one Query."""
        found = self._items.load()
        return Catalog(
            version=found.version,
            endpoints={each.id: each.endpoint() for each in found.endpoints},
            virtual_models=by_name(each.value for each in found.virtual_models),
            tool_patterns=tuple(each.pattern() for each in by_priority(found.tool_patterns) if each.enabled),
            formats_on=found.formats.on,
            formats_off=found.formats.off,
            settings=found.settings,
        )
