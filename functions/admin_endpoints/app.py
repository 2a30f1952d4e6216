"""`/api/admin/endpoints`."""

from functions.admin_endpoints.endpoints import admin_endpoints_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import config_store, sealer

app = admin_endpoints_app(config_store(), sealer(), admin_access())
