"""The admin API of client keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_api_keys.api_keys import admin_api_keys_app
from shared.store.client_key import read_key
from shared.store.client_keys import ClientKeys
from shared.store.limits import LimitTable
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from tests.functions.admin_calls import client, wrong_fields

PATH = "/api/admin/api-keys"
ALIAS = "/api/admin/inbound-api-keys"


@pytest.fixture(scope="module")
def app(shared_tables: Tables) -> FastAPI:
    return admin_api_keys_app(ClientKeys(shared_tables), LimitTable(shared_tables), OpenAccess())


@pytest.fixture
def keys(shared_tables: Tables) -> Iterator[ClientKeys]:
    yield ClientKeys(shared_tables)
    with shared_tables.api_keys.batch_write() as batch:
        for item in shared_tables.api_keys.scan():
            batch.delete(item)


@pytest.fixture
async def admin(app: FastAPI, keys: ClientKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


@pytest.mark.parametrize("path", [PATH, ALIAS])
async def test_a_key_is_shown_once(admin: httpx.AsyncClient, keys: ClientKeys, path: str) -> None:
    made = await admin.post(path, json={"label": " ci ", "notes": "the build"})
    assert made.status_code == 201
    body = made.json()
    key = body.pop("api_key")
    shown = read_key(key)
    assert shown is not None
    assert keys.get(body["id"]).opens(shown, 0)
    assert (body["label"], body["notes"], body["enabled"], body["key_prefix"]) == ("ci", "the build", True, key[:12])
    assert (body["last_used_at"], body["revoked_at"]) == (None, None)
    listed = await admin.get(path)
    assert listed.json() == {"items": [body]}
    assert (await admin.get(f"{path}/{body['id']}")).json() == body
    for answer in (listed, await admin.get(f"{path}/{body['id']}"), await admin.put(f"{path}/{body['id']}", json={})):
        assert key[12:] not in answer.text
        assert shown.secret_hash not in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_there_are_none_at_first(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(PATH)).json() == {"items": []}


async def test_a_label_is_there_once(admin: httpx.AsyncClient) -> None:
    first = (await admin.post(PATH, json={"label": "ci"})).json()
    other = (await admin.post(PATH, json={"label": "web"})).json()
    for answer in (
        await admin.post(PATH, json={"label": "ci"}),
        await admin.put(f"{PATH}/{other['id']}", json={"label": "ci"}),
    ):
        assert answer.status_code == 409
        assert answer.json()["fields"][0]["field"] == "label"
    await admin.delete(f"{PATH}/{first['id']}")
    assert (await admin.post(PATH, json={"label": "ci"})).status_code == 201


async def test_a_row_can_be_sent_back_changed(admin: httpx.AsyncClient) -> None:
    row = (await admin.post(PATH, json={"label": "ci", "notes": "n"})).json()
    del row["api_key"]
    changed = await admin.put(f"{PATH}/{row['id']}", json={**row, "enabled": False, "label": "ci2"})
    assert changed.status_code == 200
    renewed = {"enabled": False, "status": "disabled", "label": "ci2", "updated_at": changed.json()["updated_at"]}
    assert changed.json() == {**row, **renewed}
    back = (await admin.put(f"{PATH}/{row['id']}", json={"enabled": 1})).json()
    assert (back["enabled"], back["label"], back["notes"]) == (True, "ci2", "n")


async def test_a_revoked_key_stays_in_the_list(admin: httpx.AsyncClient) -> None:
    row = (await admin.post(PATH, json={"label": "ci"})).json()
    for _ in range(2):
        assert (await admin.delete(f"{PATH}/{row['id']}")).json() == {"status": "ok"}
    (listed,) = (await admin.get(PATH)).json()["items"]
    assert listed["revoked_at"] >= row["created_at"]
    assert listed["enabled"] is False
    again = await admin.put(f"{PATH}/{row['id']}", json={"enabled": True})
    assert again.status_code == 409
    assert "revoked" in again.json()["error"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "label"),
        ({"label": ""}, "label"),
        ({"label": " "}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"label": "x" * 129}, "label"),
        ({"label": 5}, "label"),
        ({"label": "x", "notes": "n" * 2_001}, "notes"),
        ({"label": "x", "api_key": "spk_mine"}, "api_key"),
        ({"label": "x", "secret_hash": "0"}, "secret_hash"),
    ],
)
async def test_wrong_fields_are_named(admin: httpx.AsyncClient, body: dict[str, object], field: str) -> None:
    assert wrong_fields(await admin.post(PATH, json=body)) == [field]
    assert (await admin.get(PATH)).json() == {"items": []}


@pytest.mark.parametrize("key_id", ["nothing", "label%23ci", "0"])
async def test_an_unknown_key_is_404(admin: httpx.AsyncClient, key_id: str) -> None:
    await admin.post(PATH, json={"label": "ci"})
    for answer in (
        await admin.get(f"{PATH}/{key_id}"),
        await admin.put(f"{PATH}/{key_id}", json={"enabled": False}),
        await admin.delete(f"{PATH}/{key_id}"),
    ):
        assert answer.status_code == 404
    assert len((await admin.get(PATH)).json()["items"]) == 1
