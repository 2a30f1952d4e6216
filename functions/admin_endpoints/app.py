"""`/api/admin/endpoints`."""

from functions.admin_endpoints.endpoints import admin_endpoints_app
from shared.web.wiring import admin_access, config_store, sealer

app = admin_endpoints_app(config_store(), sealer(), admin_access())
