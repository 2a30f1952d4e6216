"""What API Gateway does in the cloud: finds the function of a request by the ROUTES table."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable

from infra.routes import ROUTES, Access, Route
from shared.errors import GatewayError, MethodNotAllowed, RouteNotFound
from shared.garbage import loading
from shared.web.asgi import App, Receive, Scope, Send

SendError = Callable[[Scope, Send, GatewayError], Awaitable[None]]


class Router:
    """Serves the routes of the given kinds of access; a function is imported by its first request."""

    def __init__(self, access: tuple[Access, ...], send_error: SendError) -> None:
        self._send_error = send_error
        self._exact: dict[str, list[Route]] = {}
        self._templates: list[tuple[re.Pattern[str], Route]] = []
        self._apps: dict[str, App] = {}
        for route in ROUTES:
            if route.access not in access:
                continue
            for path in route.paths:
                if "{" in path:
                    self._templates.append((_pattern(path), route))
                else:
                    self._exact.setdefault(path, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the local server speaks HTTP only, not {scope['type']}")
        try:
            app = self._find(scope["method"], scope["path"])
        except GatewayError as error:
            await self._send_error(scope, send, error)
            return
        await app(scope, receive, send)

    def preload(self) -> None:
        """Import every function now, so that the first request is as fast as the second."""
        with loading():
            for routes in self._exact.values():
                for route in routes:
                    self._app(route.function)

    def _find(self, method: str, path: str) -> App:
        routes = self._exact.get(path) or self._exact.get(path.rstrip("/")) or ()
        if not routes:
            routes = [route for pattern, route in self._templates if pattern.fullmatch(path)][:1]
        if not routes:
            raise RouteNotFound(f"there is no {method} {path[:200]}; the README lists the routes")
        wanted = "GET" if method == "HEAD" else method
        for route in routes:
            if wanted in route.methods:
                return self._app(route.function)
        allowed = tuple(method for route in routes for method in route.methods)
        raise MethodNotAllowed(f"{path[:200]} takes {' or '.join(allowed)}, not {method}", allowed)

    def _app(self, function: str) -> App:
        app = self._apps.get(function)
        if app is None:
            app = self._apps[function] = importlib.import_module(f"functions.{function}.app").app
        return app


def _pattern(path: str) -> re.Pattern[str]:
    """API Gateway's `{name}` is one segment, `{name+}` the rest of the path."""
    parts = re.split(r"(\{[a-z_]+\+?\})", path)
    return re.compile(
        "".join("[^/]+" if p[:1] == "{" and "+" not in p else ".+" if p[:1] == "{" else re.escape(p) for p in parts)
    )
