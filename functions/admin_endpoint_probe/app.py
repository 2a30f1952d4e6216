"""`/api/admin/endpoints/{id}/test` and `/models`."""

from functions.admin_endpoint_probe.endpoint_probe import admin_endpoint_probe_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import adapters, config_store, health_board, sealer

app = admin_endpoint_probe_app(config_store(), sealer(), adapters().upstream, health_board(), admin_access())
