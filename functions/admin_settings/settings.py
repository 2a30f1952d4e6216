"""The settings: what administrators may change while the gateway runs, and what the deployment has decided."""

from __future__ import annotations

from zoneinfo import available_timezones

from fastapi import FastAPI

from shared.settings import Settings
from shared.store.config_settings import SettingsRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal
from shared.web.settings_schemas import ROWS, DeploymentRow, SettingRow, SettingsChange, SettingsPage, Source

_SHOWN = (
    "client_access", "admin_auth", "private_upstreams", "timeout_seconds", "max_body_bytes", "ledger_ttl_days",
    "audit_ttl_days", "log_level", "aimenu_url", "oidc_issuer",
)  # fmt: skip


def admin_settings_app(store: ConfigStore, chosen: Settings, access: Access) -> FastAPI:
    app = admin_app("Settings", access)
    settings = _Settings(store, chosen)
    serve(app, "GET", ("/api/admin/settings",), settings.all)
    serve(app, "PUT", ("/api/admin/settings",), settings.change)
    return app


class _Settings:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, store: ConfigStore, chosen: Settings) -> None:
        self._store = store
        self._chosen = chosen

    def all(self) -> SettingsPage:
        """What holds, where it comes from and what it is for."""
        return self._page(self._store.get_settings())

    def change(self, change: SettingsChange) -> SettingsPage:
        """What is sent changes, the rest stays; the gateway follows within seconds. With `version`, 409 when it is not
        the last one."""
        try:
            record = self._store.change_settings(change.given(*ROWS), change.version)
        except Conflict as conflict:
            current = self._page(conflict.current).model_dump()
            raise AdminRefusal(409, conflict.message, {"current": current}) from conflict
        return self._page(record)

    def _page(self, record: SettingsRecord) -> SettingsPage:
        stored = record.value._asdict()
        rows = []
        for name, row in ROWS.items():
            default, value = row.default(self._chosen), stored[name]
            source: Source = "deployment" if value is None else "dashboard"
            rows.append(
                SettingRow(
                    name=name,
                    value=default if value is None else value,
                    source=source,
                    default=default,
                    meaning=row.meaning,
                )
            )
        return SettingsPage(
            settings=rows,
            deployment=[DeploymentRow(variable=_variable(name), value=getattr(self._chosen, name)) for name in _SHOWN],
            version=record.version,
            common_timezones=sorted(available_timezones()),
        )


def _variable(name: str) -> str:
    return str(Settings.__dataclass_fields__[name].metadata["names"][0])
