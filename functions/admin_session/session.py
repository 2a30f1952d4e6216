"""`GET /session/validate` as the original answers it: who is logged in, for the dashboard."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

from shared.settings import Settings
from shared.web.admin_access import OPEN_USER, Sessions
from shared.web.admin_app import admin_app, serve


def admin_session_app(chosen: Settings, sessions: Sessions) -> FastAPI:
    app = admin_app("Session", None)
    serve(app, "GET", ("/session/validate",), _Session(chosen, sessions).validate)
    return app


class _Session:
    def __init__(self, chosen: Settings, sessions: Sessions) -> None:
        self._chosen = chosen
        self._sessions = sessions

    async def validate(self, request: Request) -> dict[str, Any]:
        """The session service's answer with `auth_enabled` and `use_ai_queue`; without a valid session no more than
        `{"valid": false}`."""
        told = {"auth_enabled": self._chosen.auth_enabled, "use_ai_queue": self._chosen.use_ai_queue}
        if not self._chosen.auth_enabled:
            return {"valid": True, "user": OPEN_USER, **told}
        session = await self._sessions.find(request.scope)
        return {"valid": False} if session is None else {**session, **told}
