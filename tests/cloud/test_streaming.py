"""Streams through all of it: the emulated API, the runtime's loop, the app; with the clock beside them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.cloud.conftest import EmulatedCloud
from tests.upstreams.script import Gate, Pause, event, streams
from tests.upstreams.server import Upstream

pytestmark = pytest.mark.cloud

CHAT = "/v1/chat/completions"
QUESTION = [{"role": "user", "content": "hello"}]


def piece(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


END = [
    event(
        {
            "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        }
    ),
    b"data: [DONE]\n\n",
]  # fmt: skip


def arrivals(response: httpx.Response, words: list[str]) -> Iterator[tuple[str, float]]:
    """When each word was here."""
    seen = ""
    for text in response.iter_text():
        seen += text
        while words and words[0] in seen:
            yield words.pop(0), time.monotonic()


def test_each_chunk_arrives_before_the_next_is_produced(cloud: EmulatedCloud, model: str, upstream: Upstream) -> None:
    gates = [Gate(), Gate()]
    upstream.on("actual-cloud", streams(piece("first"), gates[0], piece("second"), gates[1], piece("third"), *END))
    opened: list[float] = []
    with (
        cloud.client() as client,
        client.stream("POST", CHAT, json={"model": model, "messages": QUESTION, "stream": True}) as response,
    ):
        assert response.status_code == 200
        found = arrivals(response, ["first", "second", "third", "[DONE]"])
        at = {}
        for word, gate in (("first", gates[0]), ("second", gates[1])):
            name, at[word] = next(found)
            assert name == word
            assert gate.reached.wait(5)
            time.sleep(0.2)
            opened.append(time.monotonic())
            gate.open()
        at |= dict(found)
    assert at["first"] < opened[0] < at["second"] < opened[1] < at["third"] <= at["[DONE]"]


def test_the_clients_last_byte_comes_before_the_ledgers_write(
    cloud: EmulatedCloud, model: str, upstream: Upstream
) -> None:
    """The record is written between the end of the answer and the next invocation."""
    upstream.on("actual-cloud", streams(piece("x"), *END))
    request_id = f"cloud-{time.time_ns()}"
    with cloud.client() as client, cloud.administrator() as admin:
        asked = {"model": model, "messages": QUESTION, "stream": True}
        assert client.post(CHAT, json=asked, headers={"x-request-id": request_id}).status_code == 200
        deadline = time.monotonic() + 10
        while True:
            rows = admin.get("/api/admin/activity", params={"model": model}).json()["items"]
            if found := [row for row in rows if row["request_id"] == request_id]:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert (found[0]["outcome"], found[0]["status_code"], found[0]["stream"]) == ("success", 200, True)


def test_a_client_that_leaves_is_not_noticed_and_is_charged_for_all(
    cloud: EmulatedCloud, model: str, upstream: Upstream
) -> None:
    """Lambda tells no function that its client has left: the answer is taken to its end and recorded as it was."""
    gate = Gate()
    upstream.on("actual-cloud", streams(piece("begun"), gate, piece("never read"), *END))
    request_id = f"left-{time.time_ns()}"
    with (
        cloud.client() as client,
        client.stream(
            "POST", CHAT, json={"model": model, "messages": QUESTION, "stream": True},
            headers={"x-request-id": request_id},
        ) as response,
    ):  # fmt: skip
        assert "begun" in next(response.iter_text())
        assert gate.reached.wait(5)
    gate.open()
    assert upstream.last.over.wait(5)
    assert not upstream.last.left.is_set()
    with cloud.administrator() as admin:
        deadline = time.monotonic() + 10
        while True:
            rows = admin.get("/api/admin/activity", params={"model": model}).json()["items"]
            if found := [row for row in rows if row["request_id"] == request_id]:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert found[0]["outcome"] == "success"
    assert found[0]["output_tokens"] > 0


def test_streams_at_once_have_environments_of_their_own(cloud: EmulatedCloud, model: str, upstream: Upstream) -> None:
    """None waits for another: all have their first chunk while none has its last."""
    count = 4
    begun = threading.Semaphore(0)
    answers: list[str] = []

    def ask() -> None:
        with (
            cloud.client() as client,
            client.stream("POST", CHAT, json={"model": model, "messages": QUESTION, "stream": True}) as response,
        ):
            text = ""
            for part in response.iter_text():
                if "begun" in part:
                    begun.release()
                text += part
            answers.append(text)

    def ask_at_once() -> list[threading.Thread]:
        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for _ in range(count):
            assert begun.acquire(timeout=30)
        return threads

    def start_environment() -> None:
        with cloud.client() as client:
            client.post(CHAT, json={"model": model, "messages": QUESTION, "stream": True})

    # on a busy machine cold starts at once take longer than this deployment waits for its backend
    upstream.on("actual-cloud", streams(piece("warm"), Pause(1.5), *END))
    starting = [threading.Thread(target=start_environment) for _ in range(count)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join(30)
    gate = Gate()
    upstream.on("actual-cloud", streams(piece("begun"), gate, piece("ended"), *END))
    threads = ask_at_once()
    assert answers == []
    gate.open()
    for thread in threads:
        thread.join(30)
    assert len(answers) == count
    assert all(answer.endswith("data: [DONE]\n\n") for answer in answers)


def test_a_deadline_ends_the_stream_with_an_error(cloud: EmulatedCloud, model: str, upstream: Upstream) -> None:
    """The backend's patience is 3 s in this deployment; a stream that stalls ends in the protocol's own error."""
    upstream.on("actual-cloud", streams(piece("begun"), Pause(6), *END))
    with cloud.client() as client:
        asked = {"model": model, "messages": QUESTION, "stream": True}
        text = client.post(CHAT, json=asked).text
    assert "begun" in text
    assert '"code":"upstream_timeout"' in text or '"type":"timeout_error"' in text, text[-500:]
