"""`GET /session/validate`, `POST /session/logout`."""

from functions.admin_session.session import admin_session_app
from shared.web.admin_access import Sessions
from shared.web.admin_wiring import admin_access, operators_upstream
from shared.web.wiring import settings

app = admin_session_app(settings(), Sessions(settings().aimenu_url, operators_upstream()), admin_access())
