"""`GET /session/validate` as the original answers it: who is logged in, for the dashboard."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

from shared.errors import Forbidden, Unauthenticated
from shared.settings import Settings
from shared.web.admin_access import OPEN_USER, Access, Sessions, administrator_of
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
            return {"valid": True, "user": OPEN_USER, "role": "admin", **told}
        if mode == "oidc" and self._access is not None:
            try:
                who = await self._access.admit(request.scope)
                return {"valid": True, "user": who.user, "role": who.role, **told}
            except (Unauthenticated, Forbidden):
                return {"valid": False}
        session = await self._sessions.find(request.scope)
        if session is None:
            return {"valid": False}
        return {**session, "role": administrator_of(session).role, **told}
