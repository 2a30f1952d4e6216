"""`/api/admin/api-keys`."""

from functions.admin_api_keys.api_keys import admin_api_keys_app
from shared.web.admin_wiring import admin_access, client_keys, limit_table

app = admin_api_keys_app(client_keys(), limit_table(), admin_access())
