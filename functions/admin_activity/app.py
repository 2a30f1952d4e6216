"""`/api/admin/activity`."""

from functions.admin_activity.activity import admin_activity_app
from shared.web.wiring import admin_access, ledger

app = admin_activity_app(ledger(), admin_access())
