"""`/api/admin/config`."""

from functions.admin_config.config import admin_config_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import config_store, sealer

app = admin_config_app(config_store(), sealer(), admin_access())
