"""Legacy completions through the official SDK: native where the backend has them, as a chat where it only chats."""

from __future__ import annotations

import inspect
import json
from typing import Any

import httpx
import pytest
from openai import BadRequestError, OpenAI

from tests.contract.asking import chunks_of
from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.upstreams.openai import DONE, recorded
from tests.upstreams.script import Reply, Seen, event, says, streams, text_of
from tests.upstreams.server import Upstream

COMPLETIONS = "/v1/completions"
DOCUMENTED: dict[str, Any] = {
    "best_of": 3,
    "echo": True,
    "frequency_penalty": 0.5,
    "logit_bias": {"50256": -100},
    "logprobs": 2,
    "max_tokens": 0,
    "n": 2,
    "presence_penalty": -0.5,
    "seed": 7,
    "stop": ["\n", "END"],
    "suffix": "the end",
    "temperature": 0,
    "top_p": 0.5,
    "user": "user-1",
}
PROMPTS: list[Any] = ["Once", ["Once", "Twice"], [15496, 995], [[15496], [995, 11]]]


def test_the_list_of_documented_fields_is_the_sdks() -> None:
    parameters = inspect.signature(OpenAI(api_key="x").completions.create).parameters
    documented = set(parameters) - {"extra_headers", "extra_query", "extra_body", "timeout"}
    assert documented == set(DOCUMENTED) | {"model", "prompt", "stream", "stream_options"}


@pytest.mark.parametrize("prompt", PROMPTS, ids=["a text", "texts", "tokens", "lists of tokens"])
def test_every_field_and_kind_of_prompt_arrives_unchanged(
    prompt: Any, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    body = {"model": served.model("words"), "prompt": prompt, **DOCUMENTED, "x_vendor": {"deep": [1]}, "top_k": 4}
    assert http.post(COMPLETIONS, json=body).status_code == 200
    assert upstream.last.body == {**body, "model": actual("words")}
    assert upstream.last.path == "/v1/completions"


def test_nothing_is_added_to_a_bare_request(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    http.post(COMPLETIONS, json={"model": served.model("words"), "prompt": "Once", "suffix": None, "n": None})
    assert upstream.last.body == {"model": actual("words"), "prompt": "Once"}


def test_the_sdk_reads_a_whole_completion(client: OpenAI, served: Served, upstream: Upstream) -> None:
    answer = client.completions.create(model=served.model("words"), prompt="Once")
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("upon a time", "stop")
    assert answer.object == "text_completion"
    assert answer.model == served.model("words")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 8


@pytest.mark.parametrize("usage", [False, True])
def test_the_sdk_reads_a_streamed_completion(usage: bool, client: OpenAI, served: Served, upstream: Upstream) -> None:
    fields: dict[str, Any] = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(client.completions.create(model=served.model("words"), prompt="Once", stream=True, **fields))
    assert upstream.last.body["stream_options"] == {"include_usage": True}
    if usage:
        *chunks, last = chunks
        assert last.choices == []
        assert last.usage is not None
        assert last.usage.total_tokens == 8
    assert all(chunk.choices and not chunk.usage for chunk in chunks)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "upon a time"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[0].model == served.model("words")


def test_a_text_of_null_is_no_text(client: OpenAI, served: Served, upstream: Upstream) -> None:
    """LiteLLM says null in the last chunk."""
    texts: list[tuple[Any, Any]] = [("once", None), (None, "stop")]
    chunks = [event({"choices": [{"index": 0, "text": text, "finish_reason": end}]}) for text, end in texts]
    upstream.on(actual("words"), streams(*chunks, DONE))
    found = list(client.completions.create(model=served.model("words"), prompt="x", stream=True))
    assert [chunk.choices[0].text for chunk in found] == ["once", ""]


def test_a_completion_that_breaks_off_ends_with_an_error(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("words"), streams(event({"choices": [{"index": 0, "text": "on", "finish_reason": None}]}), DONE))
    response = http.post(COMPLETIONS, json={"model": served.model("words"), "prompt": "x", "stream": True})
    assert response.status_code == 200
    last = [frame for frame in response.content.split(b"\n\n") if frame][-1]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_cut"


def chat_only(seen: Seen) -> Reply:
    """A backend that knows no /completions and repeats what it was asked."""
    if not seen.path.endswith("/chat/completions"):
        return says({"detail": "Not Found"}, 404)
    body = json.loads(text_of("openai/text.json"))
    body["choices"][0]["message"]["content"] = f"<{seen.body['messages'][-1]['content']}>"
    return says(body)


@pytest.mark.parametrize("model", ["words-unserved", "words-webui"])
def test_a_backend_that_only_chats_is_asked_as_a_chat(
    model: str, client: OpenAI, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual(model), chat_only)
    for _ in range(2):
        answer = client.completions.create(
            model=served.model(model), prompt="Once", echo=True, max_tokens=9, stop="END", temperature=0
        )
        assert answer.object == "text_completion"
        assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("Once<Once>", "stop")
    chats = [seen for seen in upstream.seen if seen.path.endswith("/chat/completions")]
    assert len(chats) == 2
    if served.one_process:
        assert len(upstream.seen) - len(chats) == (1 if model == "words-unserved" else 0)  # learnt once
    sent = chats[-1].body
    assert sent["messages"] == [{"role": "user", "content": "Once"}]
    assert (sent["max_tokens"], sent["temperature"]) == (9, 0)
    assert sent["stop"] in ("END", ["END"])
    assert not {"prompt", "echo"} & set(sent)


def test_a_chat_is_streamed_as_completion_chunks(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("words-webui"), recorded("text.sse"))
    body = {"model": served.model("words-webui"), "prompt": "Once", "stream": True, "echo": True}
    chunks = chunks_of(http.post(COMPLETIONS, json=body).content)
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert {chunk["model"] for chunk in chunks} == {served.model("words-webui")}
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "OnceGrüße aus 東京 🗼"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"][0]["finish_reason"]] == [
        "stop"
    ]
    assert all("usage" not in chunk for chunk in chunks)


@pytest.mark.parametrize("model", ["words-unserved-n", "words-webui"])
def test_a_chat_is_asked_once_for_every_prompt_and_choice(
    model: str, client: OpenAI, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual(model), chat_only)
    answer = client.completions.create(model=served.model(model), prompt=["one", "two"], n=2)
    assert [(each.index, each.text) for each in answer.choices] == [
        (0, "<one>"), (1, "<one>"), (2, "<two>"), (3, "<two>"),
    ]  # fmt: skip
    assert answer.usage is not None
    assert answer.usage.total_tokens == 4 * 13
    assert all(seen.body.get("n", 1) == 1 for seen in upstream.seen if seen.path.endswith("/chat/completions"))


@pytest.mark.parametrize("model", ["words-unserved-tokens", "words-webui"])
def test_a_chat_cannot_read_tokens_and_says_so(model: str, client: OpenAI, served: Served, upstream: Upstream) -> None:
    upstream.on(actual(model), chat_only)
    with pytest.raises(BadRequestError) as refused:
        client.completions.create(model=served.model(model), prompt=[15496, 995])
    assert refused.value.param == "prompt"


def test_fields_that_a_chat_has_no_word_for_are_named(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("words-webui"), chat_only)
    response = http.post(
        COMPLETIONS, json={"model": served.model("words-webui"), "prompt": "x", "suffix": "y", "best_of": 2}
    )
    assert response.status_code == 200
    assert set(response.headers["x-gateway-dropped"].split(",")) == {"suffix", "best_of"}
