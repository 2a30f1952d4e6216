"""`GET /api/admin/audit`."""

from functions.admin_audit.audit import admin_audit_app
from shared.web.admin_wiring import admin_access, audit_log

app = admin_audit_app(audit_log(), admin_access())
