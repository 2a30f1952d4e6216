"""`GET /session/validate` as the original answers it: who is logged in, for the dashboard."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

from shared.errors import Forbidden, Unauthenticated
from shared.settings import Settings
from shared.web.admin_access import OPEN_USER, Access, Sessions
from shared.web.admin_app import admin_app, serve


def admin_session_app(chosen: Settings, sessions: Sessions, access: Access | None = None) -> FastAPI:
    """`access` is asked where an issuer vouches for administrators."""
    app = admin_app("Session", None)
    serve(app, "GET", ("/session/validate",), _Session(chosen, sessions, access).validate)
    return app


class _Session:
    def __init__(self, chosen: Settings, sessions: Sessions, access: Access | None) -> None:
        self._chosen = chosen
        self._sessions = sessions
        self._access = access

    async def validate(self, request: Request) -> dict[str, Any]:
        """The session service's answer with `auth_enabled` and `use_ai_queue`; without a valid session no more than
        `{"valid": false}`."""
        mode = self._chosen.admin_auth
        told = {"auth_enabled": mode != "none", "use_ai_queue": self._chosen.use_ai_queue}
        if mode == "none":
            return {"valid": True, "user": OPEN_USER, **told}
        if mode == "oidc" and self._access is not None:
            try:
                return {"valid": True, "user": await self._access.admit(request.scope), **told}
            except (Unauthenticated, Forbidden):
                return {"valid": False}
        session = await self._sessions.find(request.scope)
        return {"valid": False} if session is None else {**session, **told}
