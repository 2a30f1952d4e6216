"""One ledger record per upstream attempt, in every ending, seen through the admin API; never a word of a prompt."""

from __future__ import annotations

import secrets
import time
from typing import Any, NamedTuple

import httpx
import pytest

from tests.contract.asking import CHAT, HELLO, a_chat
from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.upstreams.openai import recorded
from tests.upstreams.script import CUT, HANG, Reply, frames_of, says, streams
from tests.upstreams.server import Upstream

Row = dict[str, Any]
_PATIENCE_SECONDS = 15.0
PROMPT = "a prompt that no ledger may hold"


class Ending(NamedTuple):
    """A request, the script behind it, and of its rows (attempt, status, outcome, error code)."""

    model: str
    body: dict[str, Any]
    rows: list[tuple[int, int, str, str | None]]
    reply: Reply | None = None
    path: str = CHAT


OK = (1, 200, "success", None)
CHATTED = {"messages": [{"role": "user", "content": PROMPT}]}
STREAMED = {**CHATTED, "stream": True}
FIRST = frames_of("openai/text.sse")[1]
ENDINGS: dict[str, Ending] = {
    # first, so that rows they should not have would be there when the others' are
    "unknown model": Ending("nobody", CHATTED, []),
    "invalid": Ending("chat", {"messages": PROMPT}, []),
    "whole": Ending("chat", CHATTED, [OK]),
    "streamed": Ending("chat", STREAMED, [OK]),
    "completion": Ending("words", {"prompt": PROMPT}, [OK], path="/v1/completions"),
    "embedding": Ending("embedder", {"input": PROMPT}, [OK], path="/v1/embeddings"),
    "no usage reported": Ending("chat", STREAMED, [OK], recorded("no_done.sse")),
    "refused": Ending("chat", CHATTED, [(1, 400, "failed", "upstream_rejected")], says({"error": {}}, 400)),
    "malformed": Ending("chat", CHATTED, [(1, 502, "failed", "upstream_malformed")], Reply((b"<html>",))),
    "cut": Ending("chat", STREAMED, [(1, 502, "truncated", "upstream_cut")], streams(FIRST, CUT)),
    "error midway": Ending("chat", STREAMED, [(1, 502, "truncated", "upstream_error")], recorded("error_midway.sse")),
    "unreachable": Ending("all-dead", CHATTED, [(1, 502, "failed", "upstream_unreachable")]),
    "failed over": Ending(
        "first-dead", STREAMED, [(1, 502, "failed", "upstream_unreachable"), (2, 200, "success", None)]
    ),
    "failed over twice": Ending(
        "first-dead",
        CHATTED,
        [
            (1, 502, "failed", "upstream_unreachable"),
            (2, 503, "failed", "upstream_overloaded"),
            (3, 200, "success", None),
        ],
        says({"error": {"message": "busy"}}, 503),
    ),
    "embedding failed over": Ending(
        "first-dead",
        {"input": PROMPT},
        [(1, 502, "failed", "upstream_unreachable"), (2, 200, "success", None)],
        path="/v1/embeddings",
    ),
    "three choices one by one": Ending(
        "demo", {**CHATTED, "n": 3}, [(n, 200, "success", None) for n in (1001, 1002, 1003)]
    ),
}


def rows_of(served: Served, request_id: str, count: int, **query: Any) -> list[Row]:
    """The request's rows by attempt, once there are `count`: the table follows the journal by some milliseconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with served.administrator() as admin:
        while True:
            page = admin.get("/api/admin/activity", params={"limit": 500, **query})
            assert page.status_code == 200, page.text
            found = [row for row in page.json()["items"] if row["request_id"] == request_id]
            if len(found) >= count or time.monotonic() > deadline:
                return sorted(found, key=lambda row: row["attempt"])
            time.sleep(0.05)


def ask(http: httpx.Client, served: Served, upstream: Upstream, ending: Ending) -> str:
    upstream.reset()
    if ending.reply:
        upstream.on(actual(ending.model), ending.reply)
    request_id = f"ending-{secrets.token_hex(6)}"
    body = {"model": served.model(ending.model), **ending.body}
    http.post(ending.path, json=body, headers={"x-request-id": request_id, "user-agent": "judge/1"})
    return request_id


@pytest.fixture(scope="module")
def endings(http: httpx.Client, served: Served, upstream_session: Upstream, backup_session: Upstream) -> dict[str, Any]:
    """Every ending is brought about once, and then the ledger is read."""
    backup_session.reset()
    asked = {name: ask(http, served, upstream_session, ending) for name, ending in ENDINGS.items()}
    return {name: rows_of(served, request_id, len(ENDINGS[name].rows)) for name, request_id in asked.items()}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_leaves_its_rows(name: str, endings: dict[str, list[Row]], served: Served) -> None:
    ending, rows = ENDINGS[name], endings[name]
    assert [(row["attempt"], row["status_code"], row["outcome"], row["error_code"]) for row in rows] == ending.rows
    for row in rows:
        assert row["virtual_model"] == served.model(ending.model)
        assert row["actual_model"] == actual(ending.model)
        assert row["stream"] is bool(ending.body.get("stream"))
        assert row["user_agent"] == "judge/1"
        assert abs(row["created_at"] - time.time()) < 300
        assert 0 <= row["response_time_ms"] < 60_000
        assert PROMPT not in str(row)


def test_the_counts_are_the_backends(endings: dict[str, list[Row]]) -> None:
    for name in ("whole", "streamed"):
        (row,) = endings[name]
        assert (row["input_tokens"], row["cache_read_tokens"]) == (7, 2)
        assert (row["output_tokens"], row["reasoning_tokens"]) == (4, 1)
        assert row["usage_source"] == "provider"
        assert 0 <= row["time_to_first_token_ms"] <= row["response_time_ms"]
    assert (endings["embedding"][0]["input_tokens"], endings["embedding"][0]["request_type"]) == (3, "embedding")
    assert (endings["completion"][0]["output_tokens"], endings["completion"][0]["request_type"]) == (3, "completion")


def test_counts_that_nobody_reported_are_marked(endings: dict[str, list[Row]]) -> None:
    assert endings["no usage reported"][0]["usage_source"] == "estimated"
    assert endings["no usage reported"][0]["output_tokens"] > 0
    assert endings["cut"][0]["usage_source"] == "partial"
    assert endings["cut"][0]["output_tokens"] > 0
    assert endings["refused"][0]["output_tokens"] == 0


def test_attempts_name_their_endpoints(endings: dict[str, list[Row]], served: Served) -> None:
    names = [row["endpoint_name"] for row in endings["failed over twice"]]
    assert names == [served.model("dead"), served.model("main"), served.model("backup")]
    assert {row["request_id"] for row in endings["failed over twice"]} == {
        endings["failed over twice"][0]["request_id"]
    }


@pytest.mark.parametrize("steps", [(), (FIRST,)], ids=["before the first event", "in the middle"])
def test_a_client_that_leaves_ends_the_backends_work_and_is_recorded(
    steps: tuple[bytes, ...], http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), streams(*steps, HANG) if steps else Reply(before=(HANG,)))
    request_id = f"left-{secrets.token_hex(6)}"
    leave(served, a_chat(served.model("chat"), stream=True, messages=HELLO), request_id, read=bool(steps))
    if not served.hears_of_leaving:
        pytest.skip("the platform does not tell a function that its client has left: tests/cloud has what happens then")
    assert upstream.last.left.wait(2), "the backend was not told that the client left"
    (row,) = rows_of(served, request_id, 1)
    assert (row["status_code"], row["outcome"], row["error_code"]) == (499, "aborted", "client_closed_request")
    assert row["usage_source"] == "partial"
    assert (row["output_tokens"] > 0) == bool(steps)


def leave(served: Served, body: dict[str, Any], request_id: str, *, read: bool) -> None:
    """Ask, read one piece or nothing, and close the connection."""
    patience = httpx.Timeout(20, read=20 if read else 0.3)
    headers = {"x-request-id": request_id}
    try:
        with (
            served.client(timeout=patience) as own,
            own.stream("POST", CHAT, json=body, headers=headers) as response,
        ):
            assert next(response.iter_bytes())
    except httpx.ReadTimeout:
        assert not read


def test_rows_are_filtered_and_paged(endings: dict[str, list[Row]], served: Served) -> None:
    dead = endings["failed over"][0]
    wanted: dict[str, dict[str, Any]] = {
        "status": {"status": 502, "model": dead["virtual_model"]},
        "outcome": {"status": "failed", "endpoint": dead["endpoint_name"]},
        "endpoint": {"endpoint": dead["endpoint_id"], "limit": 500},
    }
    for query in wanted.values():
        found = rows_of(served, dead["request_id"], 1, **query)
        assert [row["attempt"] for row in found] == [1]
    with served.administrator() as admin:
        first = admin.get("/api/admin/activity", params={"limit": 3}).json()
        second = admin.get("/api/admin/activity", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    times = [row["created_at"] for row in [*first["items"], *second["items"]]]
    assert len({row["id"] for row in [*first["items"], *second["items"]]}) == 6
    assert times == sorted(times, reverse=True)
