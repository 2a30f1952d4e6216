"""Tool patterns over the admin API: the original's field names, built-in formats in the same list, and the trial."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from functions.admin_tool_patterns.builtins import PRIORITY
from functions.admin_tool_patterns.tool_patterns import ALL, admin_tool_patterns_app
from infra.routes import ROUTES
from shared.errors import GatewayError
from shared.store.config_records import ToolPatternRecord
from shared.store.config_store import ConfigStore
from shared.tool_calls.formats import FORMATS
from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS
from shared.web.admin_access import OpenAccess
from shared.web.asgi import Scope, Send
from tests.functions.admin_calls import client, wrong_fields

EXECUTE = r"\[EXECUTE:(\w+):([^\]]+)\]"
BASH = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
TOOLS = [{"type": "function", "function": {"name": "bash", "parameters": BASH}}]
HERMES = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'

MISTRAL = '[TOOL_CALLS]bash[ARGS]{"command": "ls"}'


@pytest.fixture(scope="module")
def app(shared_store: ConfigStore) -> FastAPI:
    return admin_tool_patterns_app(shared_store, OpenAccess())


@pytest.fixture
async def admin(app: FastAPI, store: ConfigStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as calls:
        yield calls


def a_pattern(**fields: Any) -> dict[str, Any]:
    return {
        "pattern_name": "execute",
        "pattern_type": "bracket",
        "regex_pattern": EXECUTE,
        "tool_name_group": 1,
        "parameter_mapping": {"2": "command"},
        **fields,
    }


async def created(admin: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await admin.post("/tool-patterns", json=body)
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    assert row.pop("status") == "ok"
    return row


async def tried(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post("/api/admin/tool-patterns/test", json={"tools": TOOLS, **body})
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()
    assert outcome.pop("milliseconds") >= 0
    return outcome


async def test_creates_with_the_originals_defaults(admin: httpx.AsyncClient) -> None:
    row = await created(admin, {"pattern_name": "mine", "regex_pattern": "<do>(.*?)</do>"})
    warnings = row.pop("warnings")
    assert row == {
        "id": 1,
        "pattern_name": "mine",
        "pattern_type": "fence",
        "regex_pattern": "<do>(.*?)</do>",
        "tool_name": None,
        "tool_name_group": None,
        "tool_name_json_path": None,
        "tool_name_mapping": {},
        "parameter_mapping": {},
        "enabled": True,
        "priority": 50,
        "arguments_group": None,
        "max_window": None,
        "models": [],
        "endpoints": [],
        "notes": None,
        "engine": "regex",
        "example": None,
        "version": 1,
        "created_at": row["created_at"],
        "updated_at": row["created_at"],
    }
    assert [each[:18] for each in warnings] == ["says no tool name:"]
    assert (await admin.get("/api/admin/tool-patterns/1")).json() == {**row, "warnings": warnings}


async def test_mappings_are_taken_as_json_text_and_numbers_as_forms_write_them(
    admin: httpx.AsyncClient, store: ConfigStore
) -> None:
    sent = a_pattern(
        tool_name_mapping='{"run_command": "bash"}', parameter_mapping="", tool_name_group="1", tool_name="",
        max_window="", priority="70", enabled=1, models="fast-*", endpoints=["a", " b "],
    )  # fmt: skip
    row = await created(admin, sent)
    assert (row["tool_name_mapping"], row["parameter_mapping"]) == ({"run_command": "bash"}, {})
    assert (row["tool_name_group"], row["tool_name"], row["max_window"], row["priority"]) == (1, None, None, 70)
    assert (row["enabled"], row["models"], row["endpoints"]) == (True, ["fast-*"], ["a", "b"])
    (pattern,) = store.load_catalog().tool_patterns
    assert pattern.applies("fast-1", "b")
    assert not pattern.applies("slow", "b")


async def test_lists_by_priority_with_the_formats_under_every_name_of_the_route(
    admin: httpx.AsyncClient, store: ConfigStore
) -> None:
    store.plant_seeds()
    await created(admin, a_pattern(priority=95))
    for path in ALL:
        rows = (await admin.get(path)).json()
        assert [row["priority"] for row in rows] == sorted((row["priority"] for row in rows), reverse=True)
        builtins = [row for row in rows if row["engine"] == "builtin"]
        assert [row["id"] for row in builtins] == [f"builtin:{each.id}" for each in FORMATS]
        assert [row["enabled"] for row in builtins] == [each.on for each in FORMATS]
        assert {row["priority"] for row in builtins} == {PRIORITY}
        own = [row for row in rows if row["engine"] == "regex"]
        assert [row["pattern_name"] for row in own[:3]] == ["fence_json", "execute", "inline_json"]
        assert len(own) == len(DEFAULT_PATTERNS) + 1
        assert [row["pattern_name"] for row in own if not row["enabled"]] == ["action"]


async def test_changes_only_what_is_sent_under_every_name(admin: httpx.AsyncClient) -> None:
    row = await created(admin, a_pattern())
    for turn, path in enumerate(ALL):
        changed = (await admin.put(f"{path}/{row['id']}", json={"priority": turn})).json()
        assert (changed["priority"], changed["regex_pattern"], changed["status"]) == (turn, EXECUTE, "ok")
    again = await admin.put(f"/tool-patterns/{row['id']}", json=changed)  # a row can be sent back as it was read
    assert (again.status_code, again.json()["version"]) == (200, changed["version"])
    assert (await admin.delete(f"/endpoints/patterns/{row['id']}")).json() == {"status": "ok"}
    assert (await admin.get(f"/tool-patterns/{row['id']}")).status_code == 404
    assert (await admin.put(f"/tool-patterns/{row['id']}", json={"priority": 1})).status_code == 404
    assert (await admin.get("/tool-patterns/none")).status_code == 404
    assert (await admin.get("/tool-patterns/builtin:none")).status_code == 404


async def test_two_administrators_do_not_overwrite_each_other(admin: httpx.AsyncClient) -> None:
    row = await created(admin, a_pattern())
    await admin.put(f"/tool-patterns/{row['id']}", json={"notes": "first", "version": 1})
    lost = await admin.put(f"/tool-patterns/{row['id']}", json={"notes": "second", "version": 1})
    assert lost.status_code == 409
    assert lost.json()["current"]["notes"] == "first"


async def test_a_name_is_taken_once(admin: httpx.AsyncClient) -> None:
    await created(admin, a_pattern())
    other = await created(admin, a_pattern(pattern_name="other"))
    again = await admin.post("/tool-patterns", json=a_pattern())
    renamed = await admin.put(f"/tool-patterns/{other['id']}", json={"pattern_name": "execute"})
    for answer in (again, renamed):
        assert answer.status_code == 409
        assert [each["field"] for each in answer.json()["fields"]] == ["pattern_name"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"pattern_name": " "}, ["pattern_name"]),
        ({"pattern_type": "regex"}, ["pattern_type"]),
        ({"regex_pattern": ""}, ["regex_pattern"]),
        ({"regex_pattern": "x" * 4097}, ["regex_pattern"]),
        ({"regex_pattern": "(.*?)"}, ["regex_pattern"]),  # matches nothing at all
        ({"regex_pattern": "[x](((a{100}){100}){100})"}, ["regex_pattern"]),
        ({"tool_name_group": 3}, ["tool_name_group"]),
        ({"tool_name_group": "one"}, ["tool_name_group"]),
        ({"arguments_group": 9}, ["arguments_group"]),
        ({"parameter_mapping": {"7": "x"}}, ["parameter_mapping"]),
        ({"parameter_mapping": "{"}, ["parameter_mapping"]),
        ({"tool_name_mapping": {"a": 1}}, ["tool_name_mapping"]),
        ({"tool_name_mapping": [], "priority": 1000, "max_window": 1}, ["tool_name_mapping", "priority", "max_window"]),
        ({"models": [1]}, ["models"]),
        ({"regexp": "x"}, ["regexp"]),
    ],
)
async def test_says_which_field_is_wrong(admin: httpx.AsyncClient, fields: dict[str, Any], wrong: list[str]) -> None:
    assert sorted(wrong_fields(await admin.post("/tool-patterns", json=a_pattern(**fields)))) == sorted(wrong)
    row = await created(admin, a_pattern())
    assert sorted(wrong_fields(await admin.put(f"/tool-patterns/{row['id']}", json=fields))) == sorted(wrong)
    assert (await admin.get(f"/tool-patterns/{row['id']}")).json() == row


@pytest.mark.parametrize(
    ("regex", "lacks"),
    [
        (r"<x>(?=a)(.*?)</x>", "lookahead"),
        (r"<(\w+)>(.*?)</\1>", "references back to a group"),
        (r"<x>(.*?)\Z", r"write \z"),
        (r"<x>a++</x>", "possessive"),
        (r"<x>(", "missing )"),
    ],
)
async def test_says_what_the_engine_lacks(admin: httpx.AsyncClient, regex: str, lacks: str) -> None:
    answer = await admin.post("/tool-patterns", json=a_pattern(regex_pattern=regex, parameter_mapping={}))
    assert wrong_fields(answer) == ["regex_pattern"]
    assert lacks in answer.json()["error"]


async def test_a_broken_pattern_is_shown_and_can_be_switched_off(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    record = ToolPatternRecord(pattern_name="broken", pattern_type="xml", regex_pattern="<x>(?=a)")
    stored = store.create_tool_pattern(record)
    row = (await admin.get(f"/tool-patterns/{stored.id}")).json()
    assert [each[:9] for each in row["warnings"]] == ["not used:"]
    switched = await admin.put(f"/tool-patterns/{stored.id}", json={"enabled": False})
    assert switched.json()["enabled"] is False
    assert wrong_fields(await admin.put(f"/tool-patterns/{stored.id}", json={"tool_name": "x"})) == ["regex_pattern"]


async def test_a_format_is_switched_and_nothing_else(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    path = "/api/admin/tool-patterns/builtin:hermes"
    row = (await admin.get(path)).json()
    assert (row["enabled"], row["engine"], row["regex_pattern"]) == (True, "builtin", None)
    assert "<tool_call>" in row["example"]
    off = (await admin.put(path, json={"enabled": False})).json()
    assert (off["status"], off["enabled"], (await admin.get(path)).json()["enabled"]) == ("ok", False, False)
    assert store.load_catalog().formats_off == {"hermes"}
    version = store.read_version()
    assert (await admin.put(path, json=off)).status_code == 200  # as it was read: nothing is written
    assert store.read_version() == version
    assert wrong_fields(await admin.put(path, json={"priority": 5, "pattern_name": "x"})) == [
        "priority",
        "pattern_name",
    ]
    assert wrong_fields(await admin.put(path, json={"colour": 5})) == ["colour"]
    assert wrong_fields(await admin.put(path, json={"enabled": "no"})) == ["enabled"]
    assert (await admin.put(path, json={"enabled": True})).json()["enabled"] is True
    await admin.put("/tool-patterns/builtin:python_line", json={"enabled": True})
    catalog = store.load_catalog()
    assert (set(catalog.formats_on), set(catalog.formats_off)) == ({"hermes", "python_line"}, set())


async def test_a_format_is_not_deleted(admin: httpx.AsyncClient) -> None:
    answer = await admin.delete("/tool-patterns/builtin:hermes")
    assert answer.status_code == 405
    assert 'PUT /api/admin/tool-patterns/builtin:hermes {"enabled": false}' in answer.json()["error"]
    assert answer.headers["allow"] == "GET, PUT"


async def test_a_draft_is_tried_and_not_saved(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    sample = "I look. [EXECUTE:bash:ls -la] And [EXECUTE:other:x] stays."
    draft = a_pattern(enabled=False)
    del draft["pattern_name"]
    outcome = await tried(admin, sample=sample, pattern=draft)
    (call,) = outcome["calls"]
    assert (call["name"], json.loads(call["arguments"])["command"]) == ("bash", "ls -la")
    assert outcome["text"].split() == "I look. And [EXECUTE:other:x] stays.".split()
    (match,) = outcome["matches"]
    assert match["pattern"] == "draft"
    assert sample[match["start"] : match["end"]].strip() == "[EXECUTE:bash:ls -la]"
    assert (outcome["false_positives"], outcome["warnings"]) == ([], [])
    assert store.list_tool_patterns()[0] == []


async def test_a_stored_pattern_is_tried_beside_the_formats_or_alone(admin: httpx.AsyncClient) -> None:
    row = await created(admin, a_pattern())
    sample = f"{HERMES}\n[EXECUTE:bash:pwd]"
    both = await tried(admin, sample=sample, pattern_id=row["id"])
    found = [(match["pattern"], match["engine"]) for match in both["matches"]]
    assert found == [("hermes", "builtin"), ("execute", "regex")]
    alone = await tried(admin, sample=sample, pattern_id=str(row["id"]), with_formats=False)
    assert [match["pattern"] for match in alone["matches"]] == ["execute"]
    assert alone["text"].startswith(HERMES)


async def test_a_pattern_is_told_from_the_format_of_its_name(admin: httpx.AsyncClient, store: ConfigStore) -> None:
    store.plant_seeds()
    row = next(row for row in store.list_tool_patterns()[0] if row.name == "bracket_tool")
    sample = '[tool]bash[/tool] {"command": "ls"}'
    for with_formats, engine in ((True, "builtin"), (False, "regex")):
        outcome = await tried(admin, sample=sample, pattern_id=row.id, with_formats=with_formats)
        assert [(match["pattern"], match["engine"]) for match in outcome["matches"]] == [("bracket_tool", engine)]


async def test_a_trial_shows_what_the_gateway_would_do(admin: httpx.AsyncClient) -> None:
    """The formats as they are switched, and the enabled patterns that hold for the model and the endpoint."""
    await created(admin, a_pattern(models=["fast*"], endpoints=["local"]))
    await created(admin, a_pattern(pattern_name="off", regex_pattern=r"\[RUN:(\w+):([^\]]+)\]", enabled=False))
    sample = f"[EXECUTE:bash:pwd] [RUN:bash:ls] [EXECUTE:bash:id] {MISTRAL}"

    async def found(**scope: Any) -> list[tuple[str, str, int]]:
        outcome = await tried(admin, sample=sample, with_patterns=True, **scope)
        return [(hit["pattern"], hit["engine"], hit["count"]) for hit in outcome["hits"]]

    assert await found() == [("execute", "regex", 2), ("mistral", "builtin", 1)]
    assert await found(model="fast-1", endpoint="local") == await found()
    assert await found(model="slow") == await found(endpoint="cloud") == [("mistral", "builtin", 1)]
    assert (await admin.put("/tool-patterns/builtin:mistral", json={"enabled": False})).status_code == 200
    assert await found() == [("execute", "regex", 2)]
    assert await found(model="slow") == []
    draft = a_pattern(pattern_name="run", regex_pattern=r"\[RUN:(\w+):([^\]]+)\]")
    both = await tried(admin, sample=sample, with_patterns=True, pattern=draft)
    assert [match["pattern"] for match in both["matches"]] == ["execute", "run", "execute"]
    assert both["text"].strip() == MISTRAL


async def test_a_draft_stands_in_for_the_stored_pattern_of_its_name(admin: httpx.AsyncClient) -> None:
    await created(admin, a_pattern())
    draft = a_pattern(regex_pattern=r"\[RUN:(\w+):([^\]]+)\]")
    outcome = await tried(admin, sample="[EXECUTE:bash:pwd] [RUN:bash:ls]", with_patterns=True, pattern=draft)
    assert outcome["text"].strip() == "[EXECUTE:bash:pwd]"


async def test_a_format_is_tried_alone(admin: httpx.AsyncClient) -> None:
    outcome = await tried(admin, sample=f"So: {HERMES}", pattern_id="builtin:hermes", tools=[{"name": "bash"}])
    assert [call["name"] for call in outcome["calls"]] == ["bash"]
    assert [match["pattern"] for match in outcome["matches"]] == ["hermes"]
    assert outcome["false_positives"] == []


async def test_the_trial_shows_what_a_greedy_pattern_would_spoil(admin: httpx.AsyncClient) -> None:
    row = next(row for row in DEFAULT_PATTERNS if row["pattern_name"] == "action")
    tools = [{"name": "read", "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}}}}]
    outcome = await tried(admin, sample="nothing", tools=tools, pattern=row)
    assert outcome["calls"] == []
    assert outcome["text"] == "nothing"
    assert any("[README]" in each["text"] for each in outcome["false_positives"])
    assert {call["name"] for each in outcome["false_positives"] for call in each["calls"]} == {"read"}


async def test_the_trial_says_what_is_wrong(admin: httpx.AsyncClient) -> None:
    async def wrong(**body: Any) -> list[str]:
        sent = {"sample": "x", "tools": TOOLS, **body}
        return wrong_fields(await admin.post("/tool-patterns/test", json=sent))

    assert await wrong() == ["pattern"]
    assert await wrong(pattern=a_pattern(), pattern_id=1) == ["pattern"]
    assert await wrong(pattern=a_pattern(regex_pattern="<x>(?!a)")) == ["pattern.regex_pattern"]
    assert await wrong(pattern=a_pattern(priority=-1)) == ["pattern.priority"]
    assert await wrong(pattern=a_pattern(), tools=[]) == ["tools"]
    assert await wrong(pattern=a_pattern(), tools=[{"type": "function"}, {"name": "x", "parameters": 1}]) == [
        "tools[0]",
        "tools[1]",
    ]
    assert await wrong(pattern=a_pattern(), sample="x" * ((1 << 18) + 1)) == ["sample"]
    for missing in (99, "builtin:none", "none"):
        body = {"sample": "x", "tools": TOOLS, "pattern_id": missing}
        assert (await admin.post("/tool-patterns/test", json=body)).status_code == 404


@pytest.mark.parametrize("regex", [r"\[a(.*?)\]x\[/a\]", r"(a+)+b", r"\[(.*)\](.*)\](.*)\}"])
async def test_a_hostile_pattern_on_a_hostile_sample_ends(admin: httpx.AsyncClient, regex: str) -> None:
    draft = {"pattern_type": "bracket", "regex_pattern": regex, "tool_name": "bash"}
    sample = "[a" * (1 << 15)
    async with asyncio.timeout(10):
        outcome = await tried(admin, sample=sample, pattern=draft)
    assert outcome["calls"] == []
    assert outcome["text"] == sample


async def test_the_local_router_prefers_the_patterns_to_an_endpoint_of_that_name(admin: httpx.AsyncClient) -> None:
    from infra.local.router import Router

    async def send_error(scope: Scope, send: Send, error: GatewayError) -> None:
        raise error

    router = Router(("admin",), send_error)
    from functions.admin_tool_patterns.app import app as patterns

    for row in ROUTES:
        if row.function == "admin_tool_patterns":
            for path in row.paths:
                assert router._find(row.methods[0], path.replace("{id}", "7")) is patterns, path
