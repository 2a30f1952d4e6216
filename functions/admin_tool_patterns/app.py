"""`/api/admin/tool-patterns`."""

from functions.admin_tool_patterns.tool_patterns import admin_tool_patterns_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import config_store

app = admin_tool_patterns_app(config_store(), admin_access())
