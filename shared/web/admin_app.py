"""What every function of the admin API is built from: a FastAPI app behind the door, with errors in one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from shared.errors import GatewayError, MethodNotAllowed
from shared.web.admin_access import Access
from shared.web.admin_door import MAX_BODY_BYTES, AdminDoor
from shared.web.admin_errors import AdminRefusal, InvalidFields, Problem, field_errors, refusal
from shared.web.admin_guard import guard_of
from shared.wire import JsonObject, dumps

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)
}


def admin_app(
    title: str,
    access: Access | None,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    public: bool = False,
    only_reads: bool = False,
) -> FastAPI:
    """An app without routes; `access` None or `public` let everyone in. `only_reads`: its POSTs change nothing, and
    viewers may make them."""
    app = FastAPI(title=title, responses=_PROBLEMS)
    for kind in (GatewayError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _refuse)
    guard = guard_of(access)
    app.add_middleware(AdminDoor, guard=guard, max_body_bytes=max_body_bytes, public=public, only_reads=only_reads)
    return app


def serve(app: FastAPI, method: str, paths: Sequence[str], endpoint: Callable[..., Any], **options: Any) -> None:
    """Serve a route under its path and the original's other names for it, which the reference leaves out."""
    for path in paths:
        app.add_api_route(path, endpoint, methods=[method], include_in_schema=path == paths[0], **options)


async def _refuse(request: Request, error: Exception) -> Response:
    match error:
        case GatewayError():
            return _json(*refusal(error))
        case RequestValidationError():
            return _json(*refusal(_invalid(error)))
        case HTTPException(status_code=405):
            allowed = _methods(request)
            return _json(*refusal(MethodNotAllowed(f"this route takes {' or '.join(allowed)}", allowed)))
        case HTTPException():
            return _json(error.status_code, {"error": str(error.detail)}, dict(error.headers or {}))
        case _:
            raise error


def _invalid(error: RequestValidationError) -> GatewayError:
    errors = error.errors()
    if any(each["loc"][0] == "path" for each in errors):
        return AdminRefusal(404, "there is nothing with this id; GET the list to see them")
    return InvalidFields(field_errors({**each, "loc": each["loc"][1:]} for each in errors))


def _methods(request: Request) -> tuple[str, ...]:
    """Those that a path takes; Starlette names only the first route's."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    found = {
        method for route in routes if route.path_regex.match(request.scope["path"]) for method in route.methods or ()
    }
    return tuple(sorted(found))


def _json(status: int, body: JsonObject, headers: dict[str, str]) -> Response:
    return Response(dumps(body), status, headers, media_type="application/json")
