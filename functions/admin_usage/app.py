"""`/api/admin/usage`."""

from functions.admin_usage.usage import admin_usage_app
from shared.web.admin_wiring import admin_access, key_labels, rollup_reader

app = admin_usage_app(rollup_reader(), key_labels(), admin_access())
