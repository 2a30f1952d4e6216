"""`/api/admin/virtual-models`."""

from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import config_store, sealer

app = admin_virtual_models_app(config_store(), sealer(), admin_access())
