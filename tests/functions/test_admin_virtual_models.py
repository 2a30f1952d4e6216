"""Virtual models over the admin API, with the original's field names."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_virtual_models.virtual_models import admin_virtual_models_app
from shared.errors import InvalidRequest
from shared.gateway.catalog import TargetSpec
from shared.settings import Settings
from shared.store.config_records import EndpointRecord, read_virtual_model
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer, RevealedKeys
from shared.web.admin_access import OpenAccess
from shared.web.virtual_model_schemas import MASK
from shared.web.wiring import EndpointKeys
from tests.functions.admin_calls import add_endpoint, client, wrong_fields

UNASKED = EndpointRecord(id=1, name="unasked", url="https://unasked.example", endpoint_type="openai")
_PRICE_KINDS = ("in", "out", "in_cached", "out_cached", "cache_write_5m", "cache_write_1h")
PRICES = [f"cost_per_1m_tokens_{kind}" for kind in _PRICE_KINDS]


@pytest.fixture(scope="module")
def app(shared_store: ConfigStore, sealer: KeyFileSealer) -> FastAPI:
    return admin_virtual_models_app(shared_store, sealer, OpenAccess())


@pytest.fixture
async def admin(app: FastAPI, store: ConfigStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


@pytest.fixture
async def busy(serial_store: ConfigStore, sealer: KeyFileSealer) -> AsyncIterator[httpx.AsyncClient]:
    async with client(admin_virtual_models_app(serial_store, sealer, OpenAccess())) as calls:
        yield calls


@pytest.fixture
def endpoint(store: ConfigStore) -> EndpointRecord:
    return add_endpoint(store)


@pytest.fixture
def other(store: ConfigStore) -> EndpointRecord:
    return add_endpoint(store, name="other", url="https://other.example")


def a_model(endpoint: EndpointRecord, **fields: Any) -> dict[str, Any]:
    return {"name": "fast", "endpoint_id": endpoint.id, "actual_model": "gpt-x", **fields}


async def created(admin: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await admin.post("/virtual-models", json=body)
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    assert row.pop("status") == "ok"
    return row


async def test_creates_with_everything_unset(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint))
    assert row == {
        "id": 1,
        "name": "fast",
        "aliases": [],
        "endpoint_id": endpoint.id,
        "actual_model": "gpt-x",
        "targets": [{"endpoint_id": endpoint.id, "actual_model": "gpt-x"}],
        "endpoint_name": "backend",
        "endpoint_url": "https://backend.example",
        "description": None,
        **dict.fromkeys(PRICES),
        "effective_prices": None,
        "max_tokens": None,
        "temperature": None,
        "top_p": None,
        "system_prompt": None,
        "custom_headers": {},
        "disable_streaming": False,
        "force_non_streaming": False,
        "show_reasoning": True,
        "reasoning": None,
        "starts_in_reasoning": False,
        "enabled": True,
        "version": 1,
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
    }
    assert (await admin.get(f"/api/admin/virtual-models/{row['id']}")).json() == row


async def test_lists_by_name_under_every_name_of_the_route(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    for name in ("b", "c", "a"):
        await created(admin, a_model(endpoint, name=name))
    for path in ("/api/admin/virtual-models", "/virtual-models", "/api/virtual-models"):
        listed = (await admin.get(path)).json()
        assert [(row["name"], row["endpoint_name"]) for row in listed] == [(n, "backend") for n in "abc"]


async def test_zero_is_a_value_and_null_is_unset(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    zeros: dict[str, Any] = {"max_tokens": 0, "temperature": 0, "top_p": 0, **dict.fromkeys(PRICES, 0)}
    row = await created(admin, a_model(endpoint, **zeros, description="", system_prompt="Be brief."))
    assert {name: row[name] for name in zeros} == zeros
    assert all(row[name] is not None for name in zeros)
    assert (row["description"], row["system_prompt"]) == (None, "Be brief.")
    nulls = {**dict.fromkeys(zeros), "system_prompt": None}
    changed = (await admin.put(f"/virtual-models/{row['id']}", json=nulls)).json()
    assert {name: changed[name] for name in nulls} == nulls
    kept = (await admin.put(f"/virtual-models/{row['id']}", json={"temperature": 0.2})).json()
    assert (kept["temperature"], kept["max_tokens"]) == (0.2, None)


@pytest.mark.parametrize(
    "text", ["0.26", "0", "0.1", "15", "0.000001", "1234.567891", "9999.999999", "10000", "75.00", "0.10000000"]
)
async def test_a_price_comes_back_to_the_digit(
    admin: httpx.AsyncClient, store: ConfigStore, endpoint: EndpointRecord, text: str
) -> None:
    as_number = json.dumps(a_model(endpoint, cost_per_1m_tokens_in="PRICE")).replace('"PRICE"', text)
    answer = await admin.post("/virtual-models", content=as_number, headers={"content-type": "application/json"})
    assert answer.status_code == 201, answer.text
    back = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)["cost_per_1m_tokens_in"]
    assert back == Decimal(text)
    assert store.get_virtual_model(answer.json()["id"]).value.cost_per_1m_tokens_in == Decimal(text)
    row = await created(admin, a_model(endpoint, name="as text", cost_per_1m_tokens_in=text))
    assert row["cost_per_1m_tokens_in"] == answer.json()["cost_per_1m_tokens_in"]


@pytest.mark.parametrize(
    "price", [-0.01, "-1", "x", "", "NaN", "Infinity", True, [1], 1e300, 0.1234567, "0.0000001", 10_001, 10**40]
)
async def test_refuses_what_is_no_price(admin: httpx.AsyncClient, price: Any) -> None:
    answer = await admin.post("/virtual-models", json=a_model(UNASKED, cost_per_1m_tokens_out=price))
    assert wrong_fields(answer) == ["cost_per_1m_tokens_out"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", None),
        ("endpoint_id", "1"),
        ("endpoint_id", 0),
        ("actual_model", ""),
        ("max_tokens", -1),
        ("max_tokens", 1.5),
        ("temperature", 2.1),
        ("temperature", "warm"),
        ("temperature", False),
        ("top_p", 1.01),
        ("show_reasoning", "no"),
        ("enabled", None),
        ("system_prompt", "ä" * 100_001),
        ("description", "x" * 10_001),
        ("targets", []),
        ("bogus", 1),
    ],
)
async def test_names_the_field_that_is_wrong(admin: httpx.AsyncClient, field: str, value: Any) -> None:
    answer = await admin.post("/virtual-models", json=a_model(UNASKED, **{field: value}))
    assert wrong_fields(answer) == [field]


async def test_what_the_original_sends_is_taken(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    body = a_model(
        endpoint,
        disable_streaming=1,
        force_non_streaming=0,
        show_reasoning=0,
        enabled=1,
        cache_enabled=1,
        failover={"enabled": True},
        failover_strategy="backup",
        custom_headers='{"X-Team": "blue"}',
    )
    row = await created(admin, body)
    flags = ("disable_streaming", "force_non_streaming", "show_reasoning", "enabled")
    assert [row[flag] for flag in flags] == [True, False, False, True]
    assert row["custom_headers"] == {"X-Team": "blue"}


# -- targets -----------------------------------------------------------------------------------------------------------


async def test_targets_stand_beside_the_single_endpoint(
    admin: httpx.AsyncClient, endpoint: EndpointRecord, other: EndpointRecord
) -> None:
    targets = [
        {"endpoint_id": other.id, "actual_model": "one"},
        {"endpoint_id": endpoint.id, "actual_model": "two"},
    ]
    row = await created(admin, {"name": "fast", "targets": targets})
    assert row["targets"] == targets
    assert (row["endpoint_id"], row["actual_model"], row["endpoint_name"], row["endpoint_url"]) == (
        other.id,
        "one",
        "other",
        "https://other.example",
    )
    changed = (await admin.put(f"/virtual-models/{row['id']}", json={"actual_model": "uno"})).json()
    assert changed["targets"] == [{**targets[0], "actual_model": "uno"}, targets[1]]
    changed = (await admin.put(f"/virtual-models/{row['id']}", json={"endpoint_id": endpoint.id})).json()
    assert changed["targets"] == [{"endpoint_id": endpoint.id, "actual_model": "uno"}, targets[1]]
    same = (await admin.put(f"/virtual-models/{row['id']}", json=changed)).json()
    assert same["targets"] == changed["targets"]


async def test_targets_that_cannot_be_are_refused(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    target = {"endpoint_id": endpoint.id, "actual_model": "one"}
    for body, fields in (
        ({}, ["endpoint_id", "actual_model"]),
        ({"endpoint_id": endpoint.id}, ["actual_model"]),
        ({"targets": [target], "actual_model": "another"}, ["actual_model"]),
        ({"targets": [target, {"endpoint_id": "x", "weight": 1}]}, None),
        ({"targets": [{"endpoint_id": 99, "actual_model": "one"}]}, ["targets"]),
        ({"endpoint_id": 99, "actual_model": "one"}, ["targets"]),
    ):
        answer = await admin.post("/virtual-models", json={"name": "fast", **body})
        expected = ["targets[1].endpoint_id", "targets[1].actual_model", "targets[1].weight"]
        assert wrong_fields(answer) == (fields or expected)
    row = await created(admin, a_model(endpoint))
    assert wrong_fields(await admin.put(f"/virtual-models/{row['id']}", json={"endpoint_id": 99})) == ["targets"]


# -- headers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"},
        {"connection": "close"},
        {"Transfer-Encoding": "chunked"},
        {"content-length": "1"},
        {"X Y": "1"},
        {"": "1"},
        {"x:y": "1"},
        {"x-a": "one\r\nx-b: two"},
        {"x-a": "é"},
        {"x-a": "x" * 5_000},
        {"x-a": 1},
        {"x-a": None},
        {"X-A": "1", "x-a": "2"},
        {f"x-{n}": "1" for n in range(51)},
        ["x-a"],
        "not json",
        "[1]",
        '{"host": "x"}',
        5,
    ],
)
async def test_refuses_headers_that_cannot_be_sent(admin: httpx.AsyncClient, headers: Any) -> None:
    answer = await admin.post("/virtual-models", json=a_model(UNASKED, custom_headers=headers))
    assert wrong_fields(answer) == ["custom_headers"]


@pytest.mark.parametrize("empty", [None, "", "{}", {}])
async def test_headers_are_emptied(admin: httpx.AsyncClient, endpoint: EndpointRecord, empty: Any) -> None:
    row = await created(admin, a_model(endpoint, custom_headers={"x-a": "1"}))
    changed = await admin.put(f"/virtual-models/{row['id']}", json={"custom_headers": empty})
    assert changed.json()["custom_headers"] == {}


async def test_a_secret_header_is_sealed_kept_and_not_shown(
    admin: httpx.AsyncClient, store: ConfigStore, sealer: KeyFileSealer, endpoint: EndpointRecord
) -> None:
    row = await created(admin, a_model(endpoint, custom_headers={"X-Api-Key": "hush-1", "x-team": "blue"}))
    assert row["custom_headers"] == {"X-Api-Key": MASK, "x-team": "blue"}
    sent_back = {**row["custom_headers"], "x-team": "red"}
    changed = await admin.put(f"/virtual-models/{row['id']}", json={"custom_headers": sent_back})
    assert changed.json()["custom_headers"] == sent_back
    stored = store.get_virtual_model(row["id"]).value
    assert stored.custom_headers == {"x-team": "red"}
    assert "hush" not in repr(stored)
    keys = EndpointKeys(RevealedKeys(sealer), Settings())
    assert await keys.headers(stored) == {"X-Api-Key": "hush-1", "x-team": "red"}
    stale = await admin.put(f"/virtual-models/{row['id']}", json={"version": 1, "max_tokens": 1})
    listed = await admin.get("/virtual-models")
    assert not any("hush-1" in answer.text for answer in (changed, stale, listed))
    unknown = await admin.put(f"/virtual-models/{row['id']}", json={"custom_headers": {"authorization": MASK}})
    assert wrong_fields(unknown) == ["custom_headers"]


# -- changing and deleting ---------------------------------------------------------------------------------------------


async def test_a_row_can_be_sent_back_as_it_was_read(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(
        admin, a_model(endpoint, cost_per_1m_tokens_in=0.26, temperature=0, custom_headers={"x-token": "hush"})
    )
    answer = await admin.put(f"/virtual-models/{row['id']}", json=row)
    assert answer.status_code == 200, answer.text
    back = answer.json()
    assert {**back, "version": 1, "updated_at": 0} == {**row, "status": "ok", "updated_at": 0}


async def test_a_stale_version_is_told_the_current_row(busy: httpx.AsyncClient, serial_store: ConfigStore) -> None:
    row = await created(busy, a_model(add_endpoint(serial_store)))
    path = f"/virtual-models/{row['id']}"
    answers = await asyncio.gather(
        *(busy.put(path, json={"max_tokens": n, "version": row["version"]}) for n in range(1, 5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    now = (await busy.get(path)).json()
    stale = await busy.put(path, json={"max_tokens": 9, "version": row["version"]})
    assert (stale.status_code, stale.json()["current"]) == (409, now)


async def test_changes_of_different_fields_at_once_are_all_kept(
    busy: httpx.AsyncClient, serial_store: ConfigStore
) -> None:
    first, other = add_endpoint(serial_store), add_endpoint(serial_store, name="other")
    row = await created(busy, a_model(first))
    changes = [{"endpoint_id": other.id}, {"actual_model": "new"}, {"top_p": 0.5}]
    answers = await asyncio.gather(*(busy.put(f"/virtual-models/{row['id']}", json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * 3
    value = serial_store.get_virtual_model(row["id"]).value
    assert (value.targets, value.top_p) == ((TargetSpec(other.id, "new"),), 0.5)


async def test_a_name_is_taken_once(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    await created(admin, a_model(endpoint))
    second = await created(admin, a_model(endpoint, name="slow"))
    for answer in (
        await admin.post("/virtual-models", json=a_model(endpoint)),
        await admin.put(f"/virtual-models/{second['id']}", json={"name": "fast"}),
    ):
        assert (answer.status_code, answer.json()["fields"][0]["field"]) == (409, "name")


async def test_deletes_but_not_by_a_get(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    for path in ("/virtual-models/{}", "/virtual-models/{}/delete", "/api/admin/virtual-models/{}/delete"):
        row = await created(admin, a_model(endpoint))
        refused = await admin.get(path.format(row["id"])) if path.endswith("delete") else None
        assert refused is None or (refused.status_code, refused.headers["allow"]) == (405, "DELETE")
        answer = await admin.delete(path.format(row["id"]))
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await admin.get("/virtual-models")).json() == []


@pytest.mark.parametrize("wrong_id", ["77", "0", "x"])
async def test_an_unknown_id_is_a_404(admin: httpx.AsyncClient, wrong_id: str) -> None:
    for answer in (
        await admin.get(f"/virtual-models/{wrong_id}"),
        await admin.put(f"/virtual-models/{wrong_id}", json={"name": "x"}),
        await admin.delete(f"/virtual-models/{wrong_id}"),
    ):
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


async def test_says_which_price_holds_and_why(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    field = "cost_per_1m_tokens_"
    row = await created(
        admin, a_model(endpoint, **{f"{field}in": 3, f"{field}out": 15, f"{field}cache_write_5m": 3.75})
    )
    version = row["effective_prices"].pop("version")
    assert row["effective_prices"] == {
        "input": {"price": 3.0, "field": f"{field}in"},
        "cache_read": {"price": 3.0, "field": f"{field}in"},
        "cache_write_5m": {"price": 3.75, "field": f"{field}cache_write_5m"},
        "cache_write_1h": {"price": 3.0, "field": f"{field}in"},
        "output": {"price": 15.0, "field": f"{field}out"},
    }
    only_out = await created(admin, a_model(endpoint, name="out", **{f"{field}out": 1}))
    assert only_out["effective_prices"]["input"] == {"price": 0.0, "field": None}
    assert only_out["effective_prices"]["version"] != version
    unchanged = (await admin.put(f"/virtual-models/{row['id']}", json={**row, "temperature": 1})).json()
    assert unchanged["effective_prices"]["version"] == version


async def test_history_keeps_every_price(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint, cost_per_1m_tokens_in=2))
    one, versions = f"/api/admin/virtual-models/{row['id']}", [row["effective_prices"]["version"]]
    for change in ({"cost_per_1m_tokens_in": 3}, {"temperature": 1}, {"cost_per_1m_tokens_in": None}):
        changed = (await admin.put(one, json=change)).json()
        versions.append((changed["effective_prices"] or {}).get("version"))
    assert (await admin.delete(one)).status_code == 200
    history = (await admin.get(f"{one}/prices")).json()
    found = [(each["version"], each["cost_per_1m_tokens_in"]) for each in history["items"]]
    assert found == [(None, None), (versions[1], 3.0), (versions[0], 2.0)]
    assert versions[1] == versions[2]
    assert history["count"] == 3
    assert all(abs(each["since"] - time.time()) < 60 for each in history["items"])


async def test_a_model_without_prices_has_no_history(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint))
    assert (await admin.get(f"/api/admin/virtual-models/{row['id']}/prices")).json() == {"items": [], "count": 0}


def test_a_price_of_an_older_version_does_not_take_the_catalog_with_it() -> None:
    document = json.dumps({"id": 1, "name": "old", "targets": [], "cost_per_1m_tokens_in": "0.1234567"})
    read = read_virtual_model(document, version=1, created_at=0, updated_at=0)
    assert read.value.cost_per_1m_tokens_in == Decimal("0.123457")
    dear = read_virtual_model(document.replace("0.1234567", "99999"), version=1, created_at=0, updated_at=0)
    assert dear.value.cost_per_1m_tokens_in == 10_000


@pytest.mark.parametrize(
    ("asked", "models"),
    [
        ("claude-opus-4-5-20251101", ["claude-opus-4-5"]),
        ("anthropic/claude-haiku-4-5", ["claude-haiku-4-5"]),
        ("gpt-4o-2024-08-06", ["gpt-4o"]),
        ("GPT-5", ["gpt-5"]),
        ("gpt-4o-audio-preview", []),
        ("nobody", []),
    ],
)
async def test_proposes_prices_of_known_models(admin: httpx.AsyncClient, asked: str, models: list[str]) -> None:
    found = (await admin.get("/api/admin/price-proposals", params={"model": asked})).json()
    assert [each["model"] for each in found["items"]] == models
    for each in found["items"]:
        assert each["source"].startswith("https://")
        assert datetime.date.fromisoformat(each["as_of"])


async def test_a_proposal_overrides_nothing(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint, actual_model="gpt-4o", cost_per_1m_tokens_out=0))
    unpriced = await created(admin, a_model(endpoint, name="unpriced", actual_model="gpt-4o"))
    await admin.get("/api/admin/price-proposals", params={"model": "gpt-4o"})
    assert (await admin.get(f"/virtual-models/{row['id']}")).json() == row
    assert (await admin.get(f"/virtual-models/{unpriced['id']}")).json()["effective_prices"] is None


async def test_every_proposed_price_can_be_taken_over(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    proposals = (await admin.get("/api/admin/price-proposals")).json()["items"]
    assert len(proposals) > 30
    assert len({each["model"] for each in proposals}) == len(proposals)
    for proposal in proposals[::7]:
        prices = {name: price for name, price in proposal.items() if name in PRICES}
        row = await created(admin, a_model(endpoint, name=proposal["model"], **prices))
        assert {name: row[name] for name in prices} == prices


async def test_other_names_are_kept_in_their_order(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint, aliases=["gpt-4o", " claude "]))
    assert row["aliases"] == ["gpt-4o", "claude"]
    path = f"/virtual-models/{row['id']}"
    assert (await admin.put(path, json={"temperature": 1})).json()["aliases"] == ["gpt-4o", "claude"]
    assert (await admin.put(path, json={"aliases": ["claude", "x"]})).json()["aliases"] == ["claude", "x"]
    await created(admin, a_model(endpoint, name="gpt-4o"))  # free again


async def test_a_name_and_an_alias_are_taken_alike(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint, aliases=["quick"]))
    taken = await created(admin, a_model(endpoint, name="slow", aliases=["late"]))
    for body, field, name in (
        (a_model(endpoint, name="quick"), "name", "quick"),
        (a_model(endpoint, name="new", aliases=["fast"]), "aliases", "fast"),
        (a_model(endpoint, name="new", aliases=["ok", "quick"]), "aliases", "quick"),
    ):
        answer = await admin.post("/virtual-models", json=body)
        assert answer.status_code == 409
        (wrong,) = answer.json()["fields"]
        assert wrong["field"] == field
        assert f"'{name}'" in wrong["message"]
    path = f"/virtual-models/{taken['id']}"
    for body, field in (({"name": "quick"}, "name"), ({"aliases": ["fast"]}, "aliases")):
        answer = await admin.put(path, json=body)
        assert (answer.status_code, answer.json()["fields"][0]["field"]) == (409, field)
    # a rename that keeps the old name as an alias, and one that takes it back
    swapped = (await admin.put(path, json={"name": "late", "aliases": ["slow"]})).json()
    assert (swapped["name"], swapped["aliases"]) == ("late", ["slow"])
    assert (await admin.delete(path)).status_code == 200
    await created(admin, a_model(endpoint, name="slow", aliases=["late"]))
    assert row["id"] != taken["id"]


@pytest.mark.parametrize(
    ("aliases", "field"),
    [
        ([""], "aliases[0]"),
        (["ok", "x" * 129], "aliases[1]"),
        (["line\nbreak"], "aliases[0]"),
        ([3], "aliases[0]"),
        ("quick", "aliases"),
        (None, "aliases"),
        (["a", " a"], "aliases"),
        (["fast"], "aliases"),
        ([f"n{number}" for number in range(17)], "aliases"),
    ],
)
async def test_aliases_that_cannot_be(
    aliases: Any, field: str, admin: httpx.AsyncClient, endpoint: EndpointRecord
) -> None:
    assert wrong_fields(await admin.post("/virtual-models", json=a_model(endpoint, aliases=aliases))) == [field]


async def test_a_name_that_is_its_own_alias(admin: httpx.AsyncClient, endpoint: EndpointRecord) -> None:
    row = await created(admin, a_model(endpoint, aliases=["quick"]))
    assert wrong_fields(await admin.put(f"/virtual-models/{row['id']}", json={"name": "quick"})) == ["name"]


async def test_of_two_who_want_an_alias_at_once_one_has_it(busy: httpx.AsyncClient, serial_store: ConfigStore) -> None:
    endpoint = add_endpoint(serial_store)
    names = [("m1", ["shared"]), ("m2", ["shared"]), ("m3", ["shared"]), ("shared", [])]
    answers = await asyncio.gather(
        *(busy.post("/virtual-models", json=a_model(endpoint, name=name, aliases=given)) for name, given in names)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(serial_store.list_virtual_models()) == 1


async def test_a_stored_secret_header_goes_to_no_new_place(
    admin: httpx.AsyncClient, store: ConfigStore, endpoint: EndpointRecord, other: EndpointRecord
) -> None:
    row = await created(admin, a_model(endpoint, custom_headers={"x-api-key": "sesame", "x-team": "blue"}))
    path, there = f"/virtual-models/{row['id']}", {"endpoint_id": other.id, "actual_model": "m"}
    beside = {"targets": [{"endpoint_id": endpoint.id, "actual_model": "gpt-x"}, there]}
    masked = {"custom_headers": {"x-api-key": MASK, "x-team": "blue"}}
    for body in ({"endpoint_id": other.id}, beside, {**beside, **masked}, {**there, **masked}):
        refused = await admin.put(path, json=body)
        assert wrong_fields(refused) == ["custom_headers"]
        assert "https://other.example" in refused.json()["error"]
    same = add_endpoint(store, name="same", url="https://backend.example/other/path")
    assert (await admin.put(path, json={"endpoint_id": same.id})).status_code == 200
    assert (await admin.put(path, json={**beside, "custom_headers": {"x-api-key": "sesame"}})).status_code == 200
    plain = {"targets": [there], "custom_headers": {"x-team": "blue"}}
    assert (await admin.put(path, json=plain)).status_code == 200


async def test_no_two_changes_at_once_carry_a_secret_away(serial_store: ConfigStore, busy: httpx.AsyncClient) -> None:
    """One points a target at an endpoint of the same origin, the other moves that endpoint."""
    home, bait = add_endpoint(serial_store), add_endpoint(serial_store, name="bait")
    row = await created(busy, a_model(home, custom_headers={"x-api-key": "sesame"}))
    for number in range(5):
        serial_store.update_endpoint(bait.id, {"url": home.url})

        def move(to: str = f"https://thief-{number}.example") -> EndpointRecord:
            return serial_store.update_endpoint(bait.id, {"url": to})

        moved, aimed = await asyncio.gather(
            asyncio.to_thread(move),
            busy.put(f"/virtual-models/{row['id']}", json={"endpoint_id": bait.id}),
            return_exceptions=True,
        )
        assert isinstance(aimed, httpx.Response)
        assert isinstance(moved, InvalidRequest) is (aimed.status_code == 200)
        back = {"endpoint_id": home.id, "custom_headers": {"x-api-key": "sesame"}}
        assert (await busy.put(f"/virtual-models/{row['id']}", json=back)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (
            {"system_prompt": "é" * 99_000, "custom_headers": {f"x-key-{n}": "y" * 4_096 for n in range(50)}},
            "custom_headers",
        ),
        ({"system_prompt": "\x01" * 150_000}, "system_prompt"),
    ],
)
async def test_what_no_item_can_hold_is_refused_by_its_field(
    fields: dict[str, Any], field: str, admin: httpx.AsyncClient, endpoint: EndpointRecord
) -> None:
    body = a_model(endpoint, **fields)
    assert wrong_fields(await admin.post("/virtual-models", json=body)) == [field]
    row = await created(admin, a_model(endpoint))
    assert wrong_fields(await admin.put(f"/virtual-models/{row['id']}", json=fields)) == [field]
