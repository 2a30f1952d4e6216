"""`GET /session/validate` as the original answers it: who is logged in, for the dashboard."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.errors import Forbidden, Unauthenticated
from shared.settings import Settings
from shared.web.admin_access import OPEN_USER, Access, NobodySays, Sessions, administrator_of, is_of_another_page
from shared.web.admin_app import admin_app, serve
from shared.web.admin_guard import Guard, guard_of


def admin_session_app(chosen: Settings, sessions: Sessions, access: Access | None = None) -> FastAPI:
    """`access` is asked where an issuer vouches for administrators."""
    guard = guard_of(access)
    app = admin_app("Session", guard, public=True)
    session = _Session(chosen, sessions, guard)
    serve(app, "GET", ("/session/validate",), session.validate)
    serve(app, "POST", ("/session/logout",), session.logout)
    return app


class _Session:
    def __init__(self, chosen: Settings, sessions: Sessions, guard: Guard) -> None:
        self._chosen = chosen
        self._sessions = sessions
        self._guard = guard

    async def validate(self, request: Request) -> dict[str, Any]:
        """The session service's answer with `auth_enabled` and `use_ai_queue`; without a valid session no more than
        `{"valid": false}`. What is shown here counts as an attempt like anywhere else."""
        mode = self._chosen.admin_auth
        told = {"auth_enabled": mode != "none", "use_ai_queue": self._chosen.use_ai_queue}
        if mode == "none":
            return {"valid": True, "user": OPEN_USER, "role": "admin", **told}
        if mode == "oidc" and self._guard.access is not None:
            try:
                who = await self._guard.admit(request.scope)
                return {"valid": True, "user": who.user, "role": who.role, **told}
            except (Unauthenticated, Forbidden):
                return {"valid": False}
        self._guard.check(request.scope)
        try:
            session = await self._sessions.find(request.scope)
        except NobodySays:
            return {"valid": False}
        if session is None:
            self._guard.note_failure(request.scope)
            return {"valid": False}
        return {**session, "role": administrator_of(session).role, **told}

    async def logout(self, request: Request) -> Response:
        """End the session: the service is told, this process forgets it, and the browser drops its cookie. Tokens of an
        issuer end by themselves; the dashboard drops its own, and `login_url` says where to go."""
        if is_of_another_page(request.scope):
            raise Forbidden("a page of another site cannot end a session")
        mode = self._chosen.admin_auth
        login_url = None
        if mode == "session":
            await self._sessions.end(request.scope)
            login_url = f"{(self._chosen.aimenu_public_url or self._chosen.aimenu_url).rstrip('/')}/login"
        answer = JSONResponse({"status": "ok", "login_url": login_url})
        answer.set_cookie("session", "", max_age=0, path="/", httponly=True, samesite="lax")
        return answer
