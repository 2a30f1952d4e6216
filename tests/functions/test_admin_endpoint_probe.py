"""An endpoint's test and its models, against real servers on loopback that behave and misbehave."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from functions.admin_endpoint_probe.endpoint_probe import admin_endpoint_probe_app
from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.providers.base import Timeouts
from shared.providers.upstream import PooledUpstream
from shared.store.config_store import ConfigStore
from shared.store.health import Health, HealthBoard
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from tests.functions.admin_calls import KEY, add_endpoint, client, wrong_fields
from tests.providers.loopback import Answer, Loopback, Seen, loopback

LIST = Answer({"object": "list", "data": [{"id": "zeta"}, {"id": "alpha"}]})
PATIENT = Timeouts(connect=10.0, idle=10.0, total=10.0)
IMPATIENT = Timeouts(connect=2.0, idle=0.2, total=0.2)


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    upstream = PooledUpstream()
    yield upstream
    await upstream.aclose()


@pytest.fixture
async def admin(
    tables: Tables, store: ConfigStore, sealer: KeyFileSealer, upstream: PooledUpstream
) -> AsyncIterator[httpx.AsyncClient]:
    app = admin_endpoint_probe_app(store, sealer, upstream, HealthBoard(tables), OpenAccess(), PATIENT)
    async with client(app) as calls:
        yield calls


@pytest.fixture
async def impatient(
    tables: Tables, store: ConfigStore, sealer: KeyFileSealer, upstream: PooledUpstream
) -> AsyncIterator[httpx.AsyncClient]:
    app = admin_endpoint_probe_app(store, sealer, upstream, HealthBoard(tables), OpenAccess(), IMPATIENT)
    async with client(app) as calls:
        yield calls


@pytest.fixture
async def backend() -> AsyncIterator[Loopback]:
    async with loopback() as server:
        yield server


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody can listen on meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@asynccontextmanager
async def answering(data: bytes | None) -> AsyncIterator[int]:
    """A TCP server that says `data` to whatever it hears and hangs up; None says nothing and waits."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if data is None:
            await reader.read()
        else:
            await reader.read(1)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def checks_key(seen: Seen) -> Answer:
    if seen.headers.get("authorization") == f"Bearer {KEY}":
        return LIST
    wrong = seen.headers.get("authorization", "nothing").removeprefix("Bearer ")
    return Answer({"error": {"message": f"Incorrect API key provided: {wrong}"}}, status=401)


async def the_test(admin: httpx.AsyncClient, endpoint_id: int, **unsaved: Any) -> dict[str, Any]:
    answer = await admin.post(f"/api/admin/endpoints/{endpoint_id}/test", **({"json": unsaved} if unsaved else {}))
    assert answer.status_code == 200, answer.text
    assert KEY not in answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_asks_with_the_stored_key(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, backend: Loopback, tables: Tables
) -> None:
    backend.on("GET", "/v1/models", checks_key)
    stored = add_endpoint(store, sealer, url=f"{backend.url}/v1/")
    for path in (f"/endpoints/{stored.id}/test", f"/api/admin/endpoints/{stored.id}/test"):
        body = (await admin.post(path)).json()
        assert body.pop("latency_ms") >= 0
        assert body == {"status": "ok", "models": 2, "model": None, "endpoint_status": 200}
    health = HealthBoard(tables).read_all()[stored.id]
    assert (health.ok, health.error_code) == (True, None)


async def test_a_refused_key_fails_at_auth(
    admin: httpx.AsyncClient,
    store: ConfigStore,
    sealer: KeyFileSealer,
    backend: Loopback,
    tables: Tables,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    backend.on("GET", "/v1/models", checks_key)
    odd_key = "correct horse battery staple".replace(" ", ".")
    stored = add_endpoint(store, sealer, url=backend.url, api_key=odd_key)
    body = await the_test(admin, stored.id)
    assert (body["status"], body["stage"], body["endpoint_status"]) == ("failed", "auth", 401)
    assert "Incorrect API key" in body["message"]
    assert odd_key not in body["message"]
    assert odd_key not in caplog.text
    health = HealthBoard(tables).read_all()[stored.id]
    assert (health.ok, health.error_code) == (False, "upstream_authentication_failed")
    models = await admin.get(f"/endpoints/{stored.id}/models")
    assert (models.status_code, models.json()["attempts"]) == (502, [f"{backend.url}/v1/models:401"])
    assert odd_key not in models.text


async def test_a_key_that_cannot_be_unsealed_fails_at_auth(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, backend: Loopback
) -> None:
    stored = add_endpoint(store, sealer, url=backend.url)
    store.update_endpoint(stored.id, {"sealed_key": sealer.seal(KEY, stored.id + 1)})
    body = await the_test(admin, stored.id)
    assert (body["stage"], body["endpoint_status"]) == ("auth", None)
    assert "enter it again" in body["message"]
    assert backend.seen == []


async def test_a_closed_port_fails_at_connect(
    admin: httpx.AsyncClient, store: ConfigStore, closed_port: int, tables: Tables
) -> None:
    stored = add_endpoint(store, url=f"http://127.0.0.1:{closed_port}")
    body = await the_test(admin, stored.id)
    assert (body["stage"], body["endpoint_status"]) == ("connect", None)
    assert "refused" in body["message"]
    assert HealthBoard(tables).read_all()[stored.id] == Health(
        False, HealthBoard(tables).read_all()[stored.id].at, 502, "upstream_unreachable"
    )
    models = await admin.get(f"/endpoints/{stored.id}/models")
    assert models.status_code == 502
    assert models.json()["attempts"] == [f"http://127.0.0.1:{closed_port}/v1/models:upstream_unreachable"]


async def test_an_unknown_host_fails_at_connect(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store, url="http://no-such-host.invalid")
    assert (await the_test(admin, stored.id))["stage"] == "connect"


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_tls_to_a_plain_port_fails_at_tls(admin: httpx.AsyncClient, store: ConfigStore, data: bytes) -> None:
    async with answering(data) as port:
        stored = add_endpoint(store, url=f"https://127.0.0.1:{port}")
        body = await the_test(admin, stored.id)
    assert (body["stage"], body["endpoint_status"]) == ("tls", None)


async def test_a_plain_call_of_a_server_that_hangs_up_is_not_a_tls_failure(
    admin: httpx.AsyncClient, store: ConfigStore
) -> None:
    async with answering(b"") as port:
        stored = add_endpoint(store, url=f"http://127.0.0.1:{port}")
        body = await the_test(admin, stored.id)
    assert body["stage"] != "tls"
    assert body["status"] == "failed"


async def test_a_web_page_fails_at_models(admin: httpx.AsyncClient, store: ConfigStore, backend: Loopback) -> None:
    page = Answer(b"<!doctype html><title>Welcome</title>", content_type="text/html")
    for path in ("/v1/models", "/models", "/api/models", "/api/v1/models"):
        backend.on("GET", path, page)
    stored = add_endpoint(store, url=backend.url)
    body = await the_test(admin, stored.id)
    assert (body["stage"], body["endpoint_status"]) == ("models", 200)
    assert "web page" in body["message"]
    models = await admin.get(f"/endpoints/{stored.id}/models")
    assert models.status_code == 502
    assert models.json()["attempts"] == [
        f"{backend.url}{path}:200" for path in ("/v1/models", "/models", "/api/models", "/api/v1/models")
    ]


async def test_a_broken_backend_fails_at_models(
    admin: httpx.AsyncClient, store: ConfigStore, backend: Loopback
) -> None:
    backend.on("GET", "/v1/models", Answer({"error": "boom"}, status=500))
    stored = add_endpoint(store, url=backend.url)
    assert (await the_test(admin, stored.id))["endpoint_status"] == 500


async def test_a_silent_server_runs_out_of_time(impatient: httpx.AsyncClient, store: ConfigStore) -> None:
    async with answering(None) as port:
        stored = add_endpoint(store, url=f"http://127.0.0.1:{port}")
        body = await the_test(impatient, stored.id)
        assert (body["stage"], body["endpoint_status"]) == ("timeout", None)
        models = await impatient.get(f"/endpoints/{stored.id}/models")
    assert models.status_code == 504
    assert len(models.json()["attempts"]) == 1


async def test_many_slow_refusals_are_bounded_together(
    impatient: httpx.AsyncClient, store: ConfigStore, backend: Loopback
) -> None:
    for path in ("/v1/models", "/models", "/api/models", "/api/v1/models"):
        backend.on("GET", path, Answer({}, status=404, delay_seconds=0.15))
    stored = add_endpoint(store, url=backend.url)
    assert (await the_test(impatient, stored.id))["stage"] == "timeout"


# -- without a list of models ------------------------------------------------------------------------------------------


async def test_without_a_list_and_without_a_model_the_list_is_missing(
    admin: httpx.AsyncClient, store: ConfigStore, backend: Loopback, tables: Tables
) -> None:
    stored = add_endpoint(store, url=backend.url)
    body = await the_test(admin, stored.id)
    assert (body["stage"], body["endpoint_status"]) == ("models", 404)
    assert stored.id not in HealthBoard(tables).read_all()


async def test_without_a_list_a_virtual_models_model_is_asked(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, backend: Loopback
) -> None:
    def chat(seen: Seen) -> Answer:
        assert seen.headers["authorization"] == f"Bearer {KEY}"
        assert seen.headers["x-team"] == "blue"
        assert (seen.body["model"], seen.body["max_tokens"]) == ("actual", 1)
        chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"H"}}]}\n\n'
        return Answer(content_type="text/event-stream", pieces=(chunk,), hold=True)

    backend.on("POST", "/v1/chat/completions", chat)
    stored = add_endpoint(store, sealer, url=backend.url)
    value = VirtualModel(
        id=0, name="fast", targets=(TargetSpec(stored.id, "actual"),), custom_headers={"x-team": "blue"}
    )
    store.create_virtual_model(value)
    body = await the_test(admin, stored.id)
    assert (body["status"], body["models"], body["model"], body["endpoint_status"]) == ("ok", None, "actual", 200)
    await asyncio.wait_for(backend.left.wait(), 2)


async def test_without_a_list_a_refusing_chat_fails(
    admin: httpx.AsyncClient, store: ConfigStore, backend: Loopback
) -> None:
    backend.on("POST", "/v1/chat/completions", Answer({"error": {"message": "no"}}, status=403))
    stored = add_endpoint(store, url=backend.url)
    store.create_virtual_model(VirtualModel(id=0, name="fast", targets=(TargetSpec(stored.id, "actual"),)))
    body = await the_test(admin, stored.id)
    assert (body["stage"], body["endpoint_status"]) == ("auth", 403)


# -- unsaved values ----------------------------------------------------------------------------------------------------


async def test_unsaved_values_are_tested_and_not_kept(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, backend: Loopback, tables: Tables
) -> None:
    backend.on("GET", "/v1/models", checks_key)
    stored = add_endpoint(store, sealer, url="http://127.0.0.1:9", api_key="sk-old-0123456789abcd")
    works = await the_test(admin, stored.id, url=backend.url, api_key=KEY)
    assert (works["status"], works["models"]) == ("ok", 2)
    assert (await the_test(admin, stored.id, url=backend.url, clear_api_key=True))["stage"] == "auth"
    assert "authorization" not in backend.seen[-1].headers
    demo = {"endpoint_type": "demo", "url": "demo://built-in", "clear_api_key": True}
    assert (await the_test(admin, stored.id, **demo))["models"] == 1
    assert store.get_endpoint(stored.id) == stored
    assert HealthBoard(tables).read_all() == {}


async def test_unsaved_values_are_checked(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store)
    path = f"/endpoints/{stored.id}/test"
    assert wrong_fields(await admin.post(path, json={"url": "ftp://x"})) == ["url"]
    assert wrong_fields(await admin.post(path, json={"endpoint_type": "nope"})) == ["endpoint_type"]
    assert wrong_fields(await admin.post(path, json={"options": {"x": 1}})) == ["options.x"]
    assert wrong_fields(await admin.post(path, json={"api_key": "a b"})) == ["api_key"]


# -- models ------------------------------------------------------------------------------------------------------------


async def test_lists_the_models_sorted(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, backend: Loopback
) -> None:
    backend.on("GET", "/v1/models", checks_key)
    stored = add_endpoint(store, sealer, url=backend.url)
    for path in (f"/endpoints/{stored.id}/models", f"/api/admin/endpoints/{stored.id}/models"):
        answer = await admin.get(path)
        assert (answer.status_code, answer.json()) == (200, {"models": ["alpha", "zeta"]})


async def test_finds_the_list_where_it_is(admin: httpx.AsyncClient, store: ConfigStore, backend: Loopback) -> None:
    backend.on("GET", "/api/models", LIST)
    stored = add_endpoint(store, url=backend.url)
    assert (await admin.get(f"/endpoints/{stored.id}/models")).json() == {"models": ["alpha", "zeta"]}


async def test_the_demo_lists_itself(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    stored = add_endpoint(store, url="demo://built-in", endpoint_type="demo")
    assert (await admin.get(f"/endpoints/{stored.id}/models")).json() == {"models": ["demo"]}
    assert (await the_test(admin, stored.id))["endpoint_status"] is None


@pytest.mark.parametrize("wrong_id", ["77", "x", "0"])
async def test_an_unknown_id_is_a_404(admin: httpx.AsyncClient, wrong_id: str) -> None:
    for answer in (
        await admin.post(f"/endpoints/{wrong_id}/test"),
        await admin.post(f"/endpoints/{wrong_id}/test", json={"url": "http://127.0.0.1:1"}),
        await admin.get(f"/endpoints/{wrong_id}/models"),
    ):
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("spelling", ["http://localhost:{}", "http://127.0.0.1:{}/v1"])
async def test_the_stored_key_goes_to_the_stored_address_only(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, backend: Loopback, spelling: str
) -> None:
    """An administrator who may not see a key must not have it sent to a server of his own."""
    seen: list[str | None] = []

    def notes_key(asked: Seen) -> Answer:
        seen.append(asked.headers.get("authorization"))
        return Answer({"data": []})

    for path in ("/v1/models", "/v1/v1/models", "/models", "/v1/models/"):
        backend.on("GET", path, notes_key)
    port = backend.url.rpartition(":")[2]
    other = add_endpoint(store, sealer, name="other", url="https://provider.example")
    path = f"/api/admin/endpoints/{other.id}/test"
    for body in ({"url": spelling.format(port)}, {"url": backend.url, "name": "renamed", "options": {}, "api_key": ""}):
        refused = await admin.post(path, json=body)
        assert wrong_fields(refused) == ["api_key"]
        assert KEY not in refused.text
    await the_test(admin, other.id, url=backend.url, clear_api_key=True)
    assert seen
    assert not any(seen)
    await the_test(admin, other.id, url=backend.url, api_key="sk-brought-along")
    assert seen[-1] == "Bearer sk-brought-along"
    stored = add_endpoint(store, sealer, name="stored", url=backend.url)
    for unsaved in ({"url": f"{backend.url}/v1"}, {"priority": 5}, {}):
        await the_test(admin, stored.id, **unsaved)
        assert seen[-1] == f"Bearer {KEY}"
