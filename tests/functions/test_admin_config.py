"""The configuration as one document: what is exported can be imported, and what an import would do is told first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from functions.admin_config.config import admin_config_app
from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.store.audit import AuditLog
from shared.store.config_records import ToolPatternRecord
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.store.tables import Tables
from shared.web.admin_access import OpenAccess
from tests.functions.admin_calls import KEY, add_endpoint, client

EXPORT, IMPORT = "/api/admin/config/export", "/api/admin/config/import"


@pytest.fixture(scope="module")
def app(shared_store: ConfigStore, sealer: KeyFileSealer) -> FastAPI:
    return admin_config_app(shared_store, sealer, OpenAccess())


class Admin:
    def __init__(self, calls: httpx.AsyncClient) -> None:
        self.calls = calls

    async def export(self) -> dict[str, Any]:
        answer = await self.calls.get(EXPORT)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/yaml")
        assert KEY not in answer.text
        found: dict[str, Any] = yaml.safe_load(answer.text)
        return found

    async def take(self, document: Any, status: int = 200, *, secrets: Any = None, **query: str) -> Any:
        text = document if isinstance(document, str) else yaml.safe_dump(document)
        body = {"document": text, **({"secrets": secrets} if secrets else {})}
        answer = await self.calls.post(IMPORT, params=query, json=body)
        assert answer.status_code == status, answer.text
        for secret in (secrets or {}).values():
            assert secret not in answer.text
        return answer.json()


@pytest.fixture
async def admin(app: FastAPI, store: ConfigStore) -> AsyncIterator[Admin]:
    async with client(app) as calls:
        yield Admin(calls)


def told(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["action"], each["kind"], each["name"]) for each in result["changes"]]


def furnished(store: ConfigStore, sealer: KeyFileSealer) -> None:
    """Something of everything."""
    endpoint = add_endpoint(store, sealer, name="one", url="https://one.example", priority=3)
    other = add_endpoint(store, name="two", url="https://two.example", options={"timeout_seconds": 9.0}, enabled=False)
    model_id = store.allocate_id("virtual_model")
    store.create_virtual_model(
        VirtualModel(
            model_id,
            "fast",
            (TargetSpec(endpoint.id, "m-1"), TargetSpec(other.id, "m-2")),
            temperature=0.0,
            aliases=("gpt-4o", "quick"),
            system_prompt="Be short: yes\n- really",
            custom_headers={"x-team": "blue"},
            sealed_headers={"x-api-key": "c2VhbGVk"},
            cost_per_1m_tokens_in=None,
            show_reasoning=False,
        )
    )
    store.create_tool_pattern(
        ToolPatternRecord("mine", "xml", "<x>(.*?)</x>", tool_name="t", parameter_mapping={"a": "b"})
    )
    store.switch_format("hermes", False)
    store.change_settings({"display_timezone": "Europe/Berlin"})


async def test_the_export_says_everything_but_secrets_and_defaults(
    admin: Admin, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    furnished(store, sealer)
    found = await admin.export()
    assert found["endpoints"] == [
        {"name": "one", "url": "https://one.example", "priority": 3, "api_key": {"keep": True}},
        {"name": "two", "url": "https://two.example", "enabled": False, "options": {"timeout_seconds": 9.0}},
    ]
    assert found["virtual_models"] == [
        {
            "name": "fast",
            "aliases": ["gpt-4o", "quick"],
            "temperature": 0.0,
            "system_prompt": "Be short: yes\n- really",
            "show_reasoning": False,
            "targets": [
                {"endpoint": "one", "actual_model": "m-1"},
                {"endpoint": "two", "actual_model": "m-2"},
            ],
            "custom_headers": {"x-team": "blue", "x-api-key": {"keep": True}},
        }
    ]
    assert found["tool_patterns"][0]["pattern_name"] == "mine"
    assert (found["formats"], found["settings"]) == (
        {"on": [], "off": ["hermes"]},
        {"display_timezone": "Europe/Berlin"},
    )


async def test_what_was_exported_changes_nothing(admin: Admin, store: ConfigStore, sealer: KeyFileSealer) -> None:
    furnished(store, sealer)
    version = store.read_version()
    for query in ({}, {"dry_run": "true"}, {"prune": "true"}):
        assert (await admin.take(await admin.export(), **query))["changes"] == []
    assert store.read_version() == version


async def test_an_export_makes_the_same_gateway_elsewhere(
    admin: Admin, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    furnished(store, sealer)
    document = await admin.export()
    await admin.take({"version": 1, "endpoints": [], "virtual_models": [], "tool_patterns": []}, prune="true")
    assert (await admin.export())["endpoints"] == []
    document["endpoints"][0]["api_key"] = {"env": "ONE_KEY"}
    document["virtual_models"][0]["custom_headers"]["x-api-key"] = {"env": "HEADER"}
    secrets = {"ONE_KEY": KEY, "HEADER": "header-secret"}
    planned = await admin.take(document, secrets=secrets, dry_run="true")
    assert told(planned) == [
        ("create", "endpoint", "one"),
        ("create", "endpoint", "two"),
        ("create", "virtual_model", "fast"),
        ("create", "tool_pattern", "mine"),
    ]
    assert store.list_endpoints() == []
    made = await admin.take(document, secrets=secrets)
    assert (made["dry_run"], told(made)) == (False, told(planned))
    endpoint, model = store.list_endpoints()[0], store.list_virtual_models()[0]
    assert sealer.reveal(endpoint.sealed_key or b"", endpoint.id) == KEY
    assert model.value.targets[0] == TargetSpec(endpoint.id, "m-1")
    document["endpoints"][0]["api_key"] = {"keep": True}
    document["virtual_models"][0]["custom_headers"]["x-api-key"] = {"keep": True}
    assert await admin.export() == document


async def test_a_dry_run_tells_the_difference_and_writes_nothing(
    admin: Admin, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    furnished(store, sealer)
    version = store.read_version()
    document = await admin.export()
    document["endpoints"][0] |= {"priority": 4, "api_key": {"env": "NEW"}}
    document["virtual_models"][0]["targets"].pop()
    document["virtual_models"][0].pop("temperature")
    document["formats"] = {"on": [], "off": []}
    document["settings"] = {"budget_output_tokens": 100}
    planned = await admin.take(document, secrets={"NEW": "sk-another-key-0123456789"}, dry_run="true")
    rows = {
        each["name"]: {row["field"]: (row["before"], row["after"]) for row in each["changes"]}
        for each in planned["changes"]
    }
    assert rows["one"] == {"priority": (3, 4), "api_key": ("********tail", "********6789")}
    assert rows["fast"]["temperature"] == (0.0, None)
    assert rows["fast"]["targets"][1] == [{"endpoint": "one", "actual_model": "m-1"}]
    assert rows["built-in formats"] == {"on": ([], ["hermes"]), "off": (["hermes"], [])}
    assert rows["settings"] == {"display_timezone": ("Europe/Berlin", None), "budget_output_tokens": (None, 100)}
    assert store.read_version() == version
    await admin.take(document, secrets={"NEW": "sk-another-key-0123456789"})
    assert store.get_settings().value.budget_output_tokens == 100
    again = await admin.take({**document, "endpoints": None}, dry_run="true")
    assert again["changes"] == []


async def test_the_documented_example_is_taken(admin: Admin, store: ConfigStore) -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    example = text.partition("```yaml\n")[2].partition("```")[0]
    made = await admin.take(example, secrets={"OPENAI_API_KEY": KEY})
    assert {kind for _, kind, _ in told(made)} == {"endpoint", "virtual_model", "tool_pattern", "formats", "settings"}
    assert (await admin.take(example.replace("{env: OPENAI_API_KEY}", "{keep: true}")))["changes"] == []


async def test_only_what_is_listed_is_touched_and_the_rest_only_when_pruned(
    admin: Admin, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    furnished(store, sealer)
    document = {"version": 1, "endpoints": [{"name": "three", "endpoint_type": "ollama"}]}
    assert told(await admin.take(document)) == [("create", "endpoint", "three")]
    assert len(store.list_endpoints()) == 3
    refused = await admin.take(document, 422, prune="true")
    assert "one is not listed" in refused["error"]
    pruned = await admin.take({**document, "virtual_models": []}, prune="true")
    assert sorted(told(pruned)) == [
        ("delete", "endpoint", "one"),
        ("delete", "endpoint", "two"),
        ("delete", "virtual_model", "fast"),
    ]
    assert [each.name for each in store.list_endpoints()] == ["three"]
    assert len(store.list_tool_patterns()[0]) == 1


async def test_an_import_is_in_the_audit_log(
    admin: Admin, store: ConfigStore, sealer: KeyFileSealer, tables: Tables
) -> None:
    await admin.take({"version": 1, "endpoints": [{"name": "audited", "url": "https://x.example"}]})
    newest = AuditLog(tables).newest(1).entries[0]
    assert (newest.user, newest.entry.action, newest.entry.name) == ("admin", "create", "audited")


WRONG = {
    "not yaml": ("version: 1\nendpoints: [", "document"),
    "no version": ("endpoints: []", "document"),
    "a list": ("- 1", "document"),
    "another version": ("version: 2", "document"),
    "an alias": ("version: 1\nsettings: &a {x: 1}\nformats: *a", "document"),
    "twice": ("version: 1\nsettings: {}\nsettings: {}", "document"),
    "a tag": ("version: 1\nsettings: !!python/object/apply:os.system ['true']", "document"),
    "unknown part": ("version: 1\nclient_keys: []", "client_keys"),
    "no name": ("version: 1\nendpoints: [{url: 'https://x.example'}]", "endpoints[0].name"),
    "a name twice": ("version: 1\nendpoints: [{name: a, url: 'https://x.example'}, {name: a}]", "endpoints[1].name"),
    "a bad url": ("version: 1\nendpoints: [{name: a, url: 'file:///etc/passwd'}]", "endpoints[0].url"),
    "an unknown field": ("version: 1\nendpoints: [{name: a, url: 'https://x.example', x: 1}]", "endpoints[0].x"),
    "a secret": ("version: 1\nendpoints: [{name: a, url: 'https://x.example', api_key: sk-1}]", "endpoints[0].api_key"),
    "nothing to keep": (
        "version: 1\nendpoints: [{name: a, url: 'https://x.example', api_key: {keep: true}}]",
        "endpoints[0].api_key",
    ),
    "not brought along": (
        "version: 1\nendpoints: [{name: a, url: 'https://x.example', api_key: {env: PATH}}]",
        "endpoints[0].api_key",
    ),
    "no endpoint": (
        "version: 1\nvirtual_models: [{name: a, targets: [{endpoint: nowhere, actual_model: m}]}]",
        "virtual_models[0].targets[0].endpoint",
    ),
    "no targets": ("version: 1\nvirtual_models: [{name: a}]", "virtual_models[0].targets"),
    "a bad regex": (
        "version: 1\ntool_patterns: [{pattern_name: a, pattern_type: xml, regex_pattern: '('}]",
        "tool_patterns[0].regex_pattern",
    ),
    "an unknown format": ("version: 1\nformats: {on: [nothing]}", "formats"),
    "a bad setting": ("version: 1\nsettings: {display_timezone: Mars}", "settings.display_timezone"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_told_by_its_place_before_anything_is_written(
    admin: Admin, store: ConfigStore, case: str
) -> None:
    text, field = WRONG[case]
    version = store.read_version()
    good = "\ntool_patterns: [{pattern_name: good, pattern_type: xml, regex_pattern: x, tool_name: t}]"
    document = text if field == "document" or "tool_patterns" in text else text + good
    answer = await admin.take(document, 422)
    assert field in [each["field"] for each in answer["fields"]], answer
    assert store.read_version() == version


async def test_a_bomb_is_small(admin: Admin) -> None:
    bomb = "version: 1\na: &a [1,1,1,1,1,1,1,1,1]\n" + "\n".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(9)
    )
    assert "alias" in (await admin.take(bomb, 422))["error"]
    await admin.take("version: 1\nsettings: " + "[" * 5_000, 422)
    assert (await admin.calls.post(IMPORT, json={"document": "x" * (3 << 20)})).status_code == 422


def models(*rows: dict[str, Any]) -> dict[str, Any]:
    """A document of virtual models alone, on the endpoint `backend`."""
    return {
        "version": 1,
        "virtual_models": [{"targets": [{"endpoint": "backend", "actual_model": "m"}], **row} for row in rows],
    }


async def test_an_alias_can_go_to_another_model_whichever_comes_first(admin: Admin, store: ConfigStore) -> None:
    add_endpoint(store)
    await admin.take(models({"name": "a"}, {"name": "b", "aliases": ["x", "y"]}, {"name": "old"}))
    moved = models({"name": "a", "aliases": ["x", "old"]}, {"name": "b", "aliases": ["y"]})
    planned = await admin.take(moved, dry_run="true", prune="true")
    assert told(planned) == [
        ("update", "virtual_model", "b"),
        ("delete", "virtual_model", "old"),
        ("update", "virtual_model", "a"),
    ]
    assert planned["changes"][2]["changes"] == [{"field": "aliases", "before": None, "after": ["x", "old"]}]
    assert told(await admin.take(moved, prune="true")) == told(planned)
    assert {each.name: each.value.aliases for each in store.list_virtual_models()} == {"a": ("x", "old"), "b": ("y",)}
    left_out = await admin.take(models({"name": "a"}, {"name": "b", "aliases": ["y"]}))
    assert told(left_out) == [("update", "virtual_model", "a")]


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        (({"name": "new", "aliases": ["a"]},), "virtual_models[0].aliases"),
        (({"name": "new", "aliases": ["x"]},), "virtual_models[0].aliases"),
        (({"name": "x"},), "virtual_models[0].name"),
        (({"name": "new", "aliases": ["n"]}, {"name": "newer", "aliases": ["n"]}), "virtual_models[1].aliases"),
        (({"name": "new", "aliases": ["new"]},), "virtual_models[0].aliases"),
        (({"name": "a", "aliases": ["z"]}, {"name": "b", "aliases": ["x"]}), "virtual_models[0].aliases"),
    ],
)
async def test_a_name_that_two_would_have_is_told_before_anything_is_written(
    rows: tuple[dict[str, Any], ...], place: str, admin: Admin, store: ConfigStore
) -> None:
    add_endpoint(store)
    await admin.take(models({"name": "a", "aliases": ["x"]}, {"name": "b", "aliases": ["z"]}))
    before = store.read_version()
    for dry_run in ("true", "false"):
        refused = await admin.take(models(*rows), 422, dry_run=dry_run)
        assert place in [each["field"] for each in refused["fields"]]
    assert store.read_version() == before


async def test_an_import_moves_no_stored_secret_to_another_origin(
    admin: Admin, store: ConfigStore, sealer: KeyFileSealer
) -> None:
    furnished(store, sealer)
    stored = await admin.export()
    before = store.read_version()

    def document(url: str, key: Any = None, target: str = "one", header: Any = None) -> dict[str, Any]:
        endpoint = {"name": "one", "url": url, **({"api_key": dict(key)} if key else {})}
        model = {"name": "fast", "targets": [{"endpoint": target, "actual_model": "m"}]}
        headers = {"custom_headers": {"x-api-key": dict(header)}} if header else {}
        new = {"name": "new", "url": "https://new.example"}
        return {"version": 1, "endpoints": [endpoint, new], "virtual_models": [{**model, **headers}]}

    keep, bring = {"keep": True}, {"env": "NEW"}
    moved, here = "https://thief.example", "https://one.example/v2"
    for wrong, field in (
        (document(moved), "endpoints[0].api_key"),
        (document(moved, keep), "endpoints[0].api_key"),
        (document(moved, bring), "endpoints[0].url"),  # the header of `fast` would follow
        (document(here, keep, "new"), "virtual_models[0].custom_headers"),
        (document(here, keep, "new", keep), "virtual_models[0].custom_headers"),
    ):
        for dry_run in ("true", "false"):
            refused = await admin.take(wrong, 422, secrets={"NEW": "sk-new"}, dry_run=dry_run)
            assert [each["field"] for each in refused["fields"]] == [field]
    assert store.read_version() == before
    assert await admin.export() == stored
    await admin.take(document(here, keep, "new", bring), secrets={"NEW": "sk-new"})
    await admin.take(document(moved, bring, "new", keep), secrets={"NEW": "sk-new"})


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("version: true", "document"),
        ("version: 1.0", "document"),
        ("version: 1\nendpoints: [{name: {}}]", "endpoints[0].name"),
        ("version: 1\ntool_patterns: [{pattern_name: [1]}]", "tool_patterns[0].pattern_name"),
        ("version: 1\nvirtual_models: [{name: [x], targets: 3}]", "virtual_models[0].name"),
        ("version: 1\nvirtual_models: [{name: x, targets: 3}]", "virtual_models[0].targets"),
        (
            "version: 1\nvirtual_models: [{name: x, targets: [{endpoint: [1]}, 3]}]",
            "virtual_models[0].targets[0].endpoint",
        ),
        (
            "version: 1\nvirtual_models: [{name: x, custom_headers: {1: {keep: true}}, targets: []}]",
            "virtual_models[0].custom_headers",
        ),
    ],
)
async def test_what_is_of_another_kind_than_it_should_be_is_told(text: str, field: str, admin: Admin) -> None:
    for query in ({"dry_run": "true"}, {"dry_run": "true", "prune": "true"}, {}):
        refused = await admin.take(text, 422, **query)
        assert field in [each["field"] for each in refused["fields"]]


async def test_an_import_that_cannot_be_stored_says_how_far_it_came(admin: Admin, store: ConfigStore) -> None:
    add_endpoint(store)
    document = models({"name": "a"}, {"name": "b", "system_prompt": "\x01" * 150_000})
    stopped = await admin.take(document, 409)
    assert [each["name"] for each in stopped["changes"]] == ["a"]
    assert "b is not: takes 900002 of the 9" in stopped["error"]


@pytest.mark.parametrize(
    ("inside", "reason"), [("[", "too deep"), ("{a: ", "too deep"), ("- ", "maximum recursion depth exceeded")]
)
async def test_depth_ends_before_it_costs_time(inside: str, reason: str, admin: Admin) -> None:
    """The scanner's time grows with the square of the brackets that are open."""
    refused = await admin.take("version: 1\nsettings:\n  " + inside * 20_000, 422)
    assert refused["fields"] == [{"field": "document", "message": f"is not YAML: {reason}"}]
