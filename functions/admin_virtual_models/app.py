"""`/api/admin/virtual-models`."""

from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from shared.web.wiring import admin_access, config_store

app = admin_virtual_models_app(config_store(), admin_access())
