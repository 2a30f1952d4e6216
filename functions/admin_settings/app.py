"""`/api/admin/settings`."""

from functions.admin_settings.settings import admin_settings_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import config_store, settings

app = admin_settings_app(config_store(), settings(), admin_access())
