"""The laptop's router finds functions as API Gateway does."""

import httpx
import pytest

from infra.local.admin import send_error as send_admin_error
from infra.local.router import Router, SendError
from infra.routes import ROUTES
from shared.errors import MethodNotAllowed, RouteNotFound
from shared.web.app import send_error


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(("client", "public"), send_error)


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("POST", "/v1/chat/completions", "chat_completions"),
        ("POST", "/chat/completions", "chat_completions"),
        ("POST", "/v1/chat/completions/", "chat_completions"),
        ("GET", "/v1/models", "models"),
        ("HEAD", "/v1/models", "models"),
        ("GET", "/v1/models/org/name:7b", "models"),
        ("GET", "/health", "health"),
    ],
)
def test_a_route_leads_to_its_function(router: Router, method: str, path: str, function: str) -> None:
    assert router._find(method, path) is router._app(function)


def test_what_is_not_in_the_table_does_not_exist(router: Router) -> None:
    for path in ("/", "/v1", "/v1/chat", "/api/admin/endpoints", "/v1/models/"):
        with pytest.raises(RouteNotFound) if path != "/v1/models/" else pytest.raises(AssertionError):
            router._find("GET", path)
            raise AssertionError
    with pytest.raises(MethodNotAllowed) as refused:
        router._find("DELETE", "/v1/models")
    assert refused.value.allowed == ("GET",)


@pytest.mark.parametrize("send", [send_error, send_admin_error], ids=["client", "admin"])
@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("DELETE", 405)])
async def test_what_no_function_answers_has_an_id_too(send: SendError, method: str, status: int) -> None:
    router = Router(("client", "admin"), send)
    path = "/v1/models" if status == 405 else "/nowhere"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(router), base_url="http://localhost") as client:
        answer = await client.request(method, path, headers={"x-request-id": "asked-1"})
        other = await client.request(method, path, headers={"x-request-id": "not well formed"})
    assert answer.status_code == status
    assert answer.headers["x-request-id"] == "asked-1"
    assert other.headers["x-request-id"].startswith("req_")
    assert ("allow" in answer.headers) == (status == 405)


def test_every_function_of_the_table_can_be_imported() -> None:
    for access in ("client", "public"):
        Router((access,), send_error).preload()
    streamed = {route.function for route in ROUTES if route.streams}
    assert streamed == {"chat_completions", "completions", "embeddings", "admin_usage_export"}
