"""`/api/admin/activity`."""

from functions.admin_activity.activity import admin_activity_app
from shared.web.admin_wiring import admin_access
from shared.web.wiring import ledger

app = admin_activity_app(ledger(), admin_access())
