"""Embeddings: every input in, and the encoding that was asked for out, whatever the backend returns."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.upstreams.openai import embeddings, vector
from tests.upstreams.script import Reply, Seen, says
from tests.upstreams.server import Upstream

EMBEDDINGS = "/v1/embeddings"
INPUTS: list[tuple[Any, list[Any]]] = [
    ("a text", ["a text"]),
    (["one", "two 🗼", "three"], ["one", "two 🗼", "three"]),
    ([1, 2, 3], [[1, 2, 3]]),
    ([[1, 2], [3]], [[1, 2], [3]]),
]


@pytest.mark.parametrize(("given", "each"), INPUTS, ids=["a text", "texts", "tokens", "lists of tokens"])
def test_every_kind_of_input_is_embedded_in_order(
    given: Any, each: list[Any], client: OpenAI, served: Served, upstream: Upstream
) -> None:
    answer = client.embeddings.create(model=served.model("embedder"), input=given)
    assert upstream.last.body["input"] == given
    assert upstream.last.body["encoding_format"] == "base64"  # the SDK's own default
    assert [row.embedding for row in answer.data] == [vector(value) for value in each]
    assert [row.index for row in answer.data] == list(range(len(each)))
    assert answer.model == served.model("embedder")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3 * len(each)


def always(encoding: str) -> Callable[[Seen], Reply]:
    """A backend that answers in one encoding, whatever it is asked for, and not in order."""

    def reply(seen: Seen) -> Reply:
        body = embeddings(seen.body, encoding)
        return says({**body, "data": body["data"][::-1]})

    return reply


@pytest.mark.parametrize("theirs", ["float", "base64"])
@pytest.mark.parametrize("wanted", ["float", "base64", None])
def test_the_encoding_is_the_clients_whatever_the_backends_is(
    theirs: str, wanted: str | None, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("embedder"), always(theirs))
    asked = {"encoding_format": wanted} if wanted else {}
    response = http.post(EMBEDDINGS, json={"model": served.model("embedder"), "input": ["one", "two"], **asked})
    rows = response.json()["data"]
    assert [row["index"] for row in rows] == [0, 1]
    found = [row["embedding"] for row in rows]
    if wanted == "base64":
        found = [list(struct.unpack("<4f", base64.b64decode(row))) for row in found]
    assert found == [vector("one"), vector("two")]


def test_every_field_arrives_unchanged(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    body = {
        "model": served.model("embedder"),
        "input": "x",
        "dimensions": 7,
        "encoding_format": "float",
        "user": "user-1",
        "input_type": "query",
        "nothing": None,
    }
    response = http.post(EMBEDDINGS, json=body)
    assert len(response.json()["data"][0]["embedding"]) == 7
    expected = {**body, "model": actual("embedder")}
    del expected["nothing"]
    assert upstream.last.body == expected
    assert upstream.last.path == "/v1/embeddings"


def test_numbers_keep_their_digits(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    row = [0.0123456789012345, -1e-12, 0.1, 3]
    body = {"object": "list", "data": [{"index": 0, "embedding": row}], "model": "m"}
    upstream.on(actual("embedder"), says(body))
    response = http.post(EMBEDDINGS, json={"model": served.model("embedder"), "input": "x"})
    assert response.json()["data"][0]["embedding"] == row
    assert response.json()["usage"]["prompt_tokens"] > 0  # none reported: estimated


def test_the_demo_embeds(client: OpenAI, served: Served) -> None:
    answer = client.embeddings.create(model=served.model("demo"), input=["same", "same", "other"], dimensions=8)
    first, second, third = (row.embedding for row in answer.data)
    assert first == second != third
    assert len(first) == 8


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"index": 0, "embedding": [1.0]}]},
        {"data": []},
        {"data": [{"index": 0, "embedding": "!!!"}, {"index": 1, "embedding": "!!!"}]},
        {"data": [{"embedding": [1.0]}, {"embedding": None}]},
        {"object": "list"},
    ],
    ids=["too few", "none", "broken base64", "null", "no data"],
)
def test_an_answer_without_the_vectors_is_an_error(
    body: Any, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("embedder"), says(body))
    response = http.post(EMBEDDINGS, json={"model": served.model("embedder"), "input": ["a", "b"]})
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "upstream_malformed"
