"""`/api/admin/usage/export`: streamed, so apart from the other routes of usage."""

from functions.admin_usage_export.export import admin_usage_export_app
from shared.web.admin_wiring import admin_access, key_labels, rollup_reader
from shared.web.wiring import ledger

app = admin_usage_export_app(ledger(), rollup_reader(), key_labels(), admin_access())
