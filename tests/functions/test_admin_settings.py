"""Settings: what holds, where it comes from, and that the data path follows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_settings.settings import admin_settings_app
from shared.gateway.catalog import Catalog
from shared.gateway.stored_settings import StoredSettings
from shared.settings import read_settings
from shared.store.audit import AuditLog
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer, RevealedKeys
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from shared.web.settings_schemas import ROWS
from shared.web.wiring import EndpointKeys, EnvironmentCatalog, queue_endpoint
from tests.functions.admin_calls import client, wrong_fields
from tests.gateway.pieces import FixedCatalog

PATH = "/api/admin/settings"
CHOSEN = read_settings({"AI_QUEUE_URL": "https://queue.example", "AI_QUEUE_API_KEY": "queue-key"})


@pytest.fixture(scope="module")
def app(shared_store: ConfigStore) -> FastAPI:
    return admin_settings_app(shared_store, CHOSEN, OpenAccess())


@pytest.fixture
async def admin(app: FastAPI, store: ConfigStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


def holds(answer: httpx.Response) -> dict[str, tuple[object, str]]:
    assert answer.status_code == 200, answer.text
    return {row["name"]: (row["value"], row["source"]) for row in answer.json()["settings"]}


async def test_every_setting_has_a_value_a_source_and_a_meaning(admin: httpx.AsyncClient) -> None:
    answer = await admin.get(PATH)
    told = holds(answer)
    assert set(told) == set(ROWS) == set(StoredSettings._fields)
    assert told["use_ai_queue"] == (False, "deployment")
    assert told["ai_queue_url"] == ("https://queue.example", "deployment")
    assert told["budget_output_tokens"] == (8_192, "deployment")
    assert all(row["meaning"] for row in answer.json()["settings"])
    assert "Europe/Berlin" in answer.json()["common_timezones"]
    assert {"variable": "CLIENT_ACCESS", "value": "open"} in answer.json()["deployment"]
    assert "queue-key" not in answer.text


async def test_what_is_sent_changes_and_null_takes_it_back(
    admin: httpx.AsyncClient, store: ConfigStore, tables: Tables
) -> None:
    before = store.read_version()
    sent = {"use_ai_queue": True, "display_timezone": "Europe/Berlin", "budget_output_tokens": 500}
    told = holds(await admin.put(PATH, json=sent))
    assert {name: told[name] for name in sent} == {name: (value, "dashboard") for name, value in sent.items()}
    assert store.read_version() == before + 1  # and so the data path looks again
    assert store.load_catalog().settings == StoredSettings(**sent)
    told = holds(await admin.put(PATH, json={"use_ai_queue": None}))
    assert told["use_ai_queue"] == (False, "deployment")
    assert told["display_timezone"] == ("Europe/Berlin", "dashboard")
    assert (await admin.put(PATH, json={})).json()["version"] == 2
    entry = AuditLog(tables).newest(1).entries[0].entry
    assert (entry.kind, entry.changes) == ("settings", [{"field": "use_ai_queue", "before": True, "after": None}])


async def test_a_change_of_another_version_is_refused(admin: httpx.AsyncClient) -> None:
    await admin.put(PATH, json={"budget_output_tokens": 500})
    answer = await admin.put(PATH, json={"budget_output_tokens": 600, "version": 0})
    assert answer.status_code == 409
    assert answer.json()["current"]["version"] == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use_ai_queue", "yes"),
        ("ai_queue_url", "file:///etc/passwd"),
        ("ai_queue_url", "http://user:password@queue.example"),
        ("ai_queue_priority", "URGENT"),
        ("ai_queue_source", "two words\r\nx: y"),
        ("budget_output_tokens", 0),
        ("budget_output_tokens", "5"),
        ("display_timezone", "Mars/Olympus"),
        ("display_timezone", "../../etc/passwd"),
        ("api_port", 80),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(admin: httpx.AsyncClient, field: str, value: object) -> None:
    assert wrong_fields(await admin.put(PATH, json={field: value})) == [field]


async def test_the_data_path_follows(sealer: KeyFileSealer) -> None:
    stored = FixedCatalog(Catalog())
    catalog = EnvironmentCatalog(stored, CHOSEN)
    assert (await catalog.get()).queue is None
    stored.catalog = Catalog(2, settings=StoredSettings(use_ai_queue=True, ai_queue_priority="LOW"))
    queue = (await catalog.get()).queue
    assert queue is not None
    assert (queue.url, queue.options["priority"]) == ("https://queue.example", "LOW")
    keys = EndpointKeys(RevealedKeys(sealer), CHOSEN)
    assert await keys.reveal(queue) == "queue-key"
    elsewhere = queue_endpoint(CHOSEN, StoredSettings(use_ai_queue=True, ai_queue_url="https://evil.example"))
    assert elsewhere is not None
    assert await keys.reveal(elsewhere) is None
    assert queue_endpoint(read_settings({"USE_AI_QUEUE": "true"}), StoredSettings(use_ai_queue=False)) is None
