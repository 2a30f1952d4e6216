"""What every adapter does, whatever its backend speaks; the dialects are rows in a table."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Any

import pytest

from shared.chat.events import (
    Event,
    Finished,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from shared.chat.request import (
    CacheMark,
    ChatRequest,
    ImagePart,
    Message,
    Native,
    ReasoningRequest,
    ResponseFormat,
    Sampling,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from shared.chat.usage import Usage
from shared.errors import (
    UPSTREAM_STATUSES,
    InvalidRequest,
    UpstreamCut,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnreachable,
)
from shared.providers.base import Adapter, Target, Timeouts
from shared.providers.registry import TYPES, Adapters
from shared.providers.upstream import PooledUpstream
from tests.providers.asking import WEATHER, a_request, a_target, an_embedding, ask, events_of, kinds, says, text
from tests.providers.dialects import BACKENDS, BROKE_OFF, DIALECTS, KEY, TEXTS, Backend, Dialect
from tests.providers.loopback import Answer, Loopback, Seen, loopback

SOON = 2.0


def over(dialects: Iterable[Dialect]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("dialect", list(dialects), ids=lambda dialect: dialect.name)


every_dialect = over(DIALECTS)
every_backend = over(BACKENDS)
every_stream = over(backend for backend in BACKENDS if backend.opening)


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback() as server:
        yield server


@pytest.fixture
async def adapters() -> AsyncIterator[Adapters]:
    upstream = PooledUpstream()
    yield Adapters(upstream)
    await upstream.aclose()


def target_of(dialect: Dialect, server: Loopback, **fields: Any) -> Target:
    base = dialect.bases[0] if isinstance(dialect, Backend) else ""
    defaults: dict[str, Any] = {
        "type": dialect.type,
        "model": dialect.model,
        "api_key": KEY,
        "options": dialect.options,
    }
    return a_target(server.url + fields.pop("base", base), **{**defaults, **fields})


def lay_out(dialect: Dialect, server: Loopback, recording: Callable[[Backend], Answer]) -> None:
    if isinstance(dialect, Backend):
        dialect.lay_out(server, recording(dialect), *dialect.after)


def text_of(backend: Backend) -> Answer:
    return backend.answer(backend.text)


def tools_of(backend: Backend) -> Answer:
    return backend.answer(backend.tools)


def lay_out_whole(dialect: Dialect, server: Loopback) -> None:
    """The backend streams only when it is asked to."""
    if not isinstance(dialect, Backend):
        return
    dialect.before(server)
    whole = Answer(dialect.whole)
    for route in dialect.whole_at:
        server.on(*route, lambda seen: text_of(dialect) if seen.raw and seen.body.get("stream") else whole)


def test_every_endpoint_type_has_a_dialect() -> None:
    assert {dialect.type for dialect in DIALECTS} == set(TYPES)


# ── answers ──


@every_dialect
async def test_a_streamed_answer(dialect: Dialect, server: Loopback, adapters: Adapters) -> None:
    lay_out(dialect, server, text_of)
    events = await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))
    assert [place for place, event in enumerate(events) if isinstance(event, Started)] == [0]
    assert text(events) == dialect.says
    assert [event for event in events if isinstance(event, Finished)] == [Finished("stop")]
    assert [event.usage for event in events if isinstance(event, UsageReported)][-1] == dialect.usage
    last_words = max(place for place, event in enumerate(events) if isinstance(event, TextDelta))
    assert "Finished" in kinds(events[last_words:])


@every_dialect
async def test_tool_calls(dialect: Dialect, server: Loopback, adapters: Adapters) -> None:
    lay_out(dialect, server, tools_of)
    events = await ask(adapters[dialect.type].stream(a_request(tools=(WEATHER,)), target_of(dialect, server)))
    started = [event for event in events if isinstance(event, ToolCallStarted)]
    assert [event.call for event in started] == list(range(len(dialect.calls)))
    assert len({event.id for event in started} - {""}) == len(dialect.calls)
    assert [(event.name, arguments(events, event.call)) for event in started] == list(dialect.calls)
    assert [event for event in events if isinstance(event, Finished)] == [Finished("tool_calls")]
    for call in started:
        deltas = [n for n, event in enumerate(events) if isinstance(event, ToolCallDelta) and event.call == call.call]
        assert all(place > events.index(call) for place in deltas)


def arguments(events: Iterable[Event], call: int) -> Any:
    written = "".join(event.arguments for event in events if isinstance(event, ToolCallDelta) and event.call == call)
    return json.loads(written)


@every_dialect
async def test_a_whole_answer_says_the_same_in_one_piece(
    dialect: Dialect, server: Loopback, adapters: Adapters
) -> None:
    lay_out_whole(dialect, server)
    target = target_of(dialect, server, whole=True)
    for request in (a_request(), a_request(stream=False)):
        events = await ask(adapters[dialect.type].stream(request, target))
        assert text(events) == dialect.says
        assert [event for event in events if isinstance(event, Finished)] == [Finished("stop")]
        assert [event.usage for event in events if isinstance(event, UsageReported)] == [dialect.usage]


@every_backend
async def test_a_whole_answer_is_one_delta(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    lay_out_whole(dialect, server)
    events = await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server, whole=True)))
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta(dialect.says)]


@every_dialect
async def test_a_client_that_does_not_stream_gets_the_same_text(
    dialect: Dialect, server: Loopback, adapters: Adapters
) -> None:
    lay_out_whole(dialect, server)
    events = await ask(adapters[dialect.type].stream(a_request(stream=False), target_of(dialect, server)))
    assert text(events) == dialect.says
    assert [event for event in events if isinstance(event, Finished)] == [Finished("stop")]


# ── the way an answer arrives ──


@pytest.mark.parametrize("recording", [text_of, tools_of], ids=["text", "tools"])
@every_backend
async def test_where_a_recording_is_cut_into_reads_changes_no_event(
    dialect: Backend, recording: Callable[[Backend], Answer], server: Loopback, adapters: Adapters
) -> None:
    body: bytes = recording(dialect).body
    adapter, target = adapters[dialect.type], target_of(dialect, server)
    each_byte = tuple(bytes([byte]) for byte in body)
    in_one = Answer(pieces=(body,), content_type=dialect.content_type)
    in_bytes = Answer(pieces=each_byte, content_type=dialect.content_type, apart=True)
    dialect.lay_out(server, in_one, *dialect.after)
    expected = await ask(adapter.stream(a_request(tools=(WEATHER,)), target))
    dialect.lay_out(server, in_bytes, *dialect.after)
    assert await ask(adapter.stream(a_request(tools=(WEATHER,)), target)) == expected


@every_stream
async def test_the_first_words_leave_while_the_backend_holds_the_rest(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    dialect.lay_out(server, *dialect.opening)
    stream = adapters[dialect.type].stream(a_request(), target_of(dialect, server))
    async with aclosing(stream), asyncio.timeout(SOON):
        events: list[Event] = []
        while not text(events):
            events += events_of([await anext(stream)])
        assert text(events) == dialect.first_words
        assert not server.left.is_set()
        assert "Finished" not in kinds(events)


@every_stream
async def test_leaving_after_the_first_batch_ends_the_work_upstream(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    dialect.lay_out(server, *dialect.opening)
    stream = adapters[dialect.type].stream(a_request(), target_of(dialect, server))
    async with asyncio.timeout(SOON):
        await anext(stream)
        await stream.aclose()
        await server.left.wait()


@every_backend
async def test_leaving_before_the_first_words_ends_the_work_upstream(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    dialect.lay_out(server, Answer(hold=True))
    asking = asyncio.create_task(ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server))))
    async with asyncio.timeout(SOON):
        while " ".join(dialect.answered) not in server.paths():
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.left.wait()


# ── answers that break ──


@every_backend
async def test_an_answer_that_stops_between_two_frames_is_cut(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    for end in range(1, dialect.ends + 1):
        dialect.lay_out(server, dialect.answer(dialect.text[:end]), *dialect.after)
        with pytest.raises(UpstreamCut):
            await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))


@every_backend
async def test_an_answer_that_stops_within_a_frame_never_ends_well(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    for end in range(dialect.ends + 1):
        frame = dialect.text[end]
        answer = dialect.answer((*dialect.text[:end], frame[: len(frame) // 2]))
        dialect.lay_out(server, answer, *dialect.after)
        with pytest.raises((UpstreamCut, UpstreamMalformed)):
            await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))


@every_backend
async def test_a_connection_that_breaks_in_the_answer_is_a_cut(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    body: bytes = text_of(dialect).body
    dialect.lay_out(server, Answer(pieces=(body[: len(body) // 2],), content_type=dialect.content_type, cut=True))
    with pytest.raises(UpstreamCut):
        await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))


@every_backend
async def test_an_error_in_the_answer_is_raised_with_the_backends_words(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    dialect.lay_out(server, dialect.answer((*dialect.text[: dialect.ends], dialect.error)), *dialect.after)
    with pytest.raises(UpstreamFailure, match=BROKE_OFF):
        await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))


@every_backend
async def test_a_web_page_is_malformed(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    dialect.before(server)
    server.on(*dialect.asked, Answer(b"<!doctype html><title>Welcome</title>", content_type="text/html"))
    with pytest.raises(UpstreamMalformed, match="a web page"):
        await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))


# ── no answer ──

REFUSALS = {**UPSTREAM_STATUSES, 500: (502, "upstream_error", "upstream_error", True, True)}


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
@every_backend
async def test_refusals(dialect: Backend, status: int, server: Loopback, adapters: Adapters) -> None:
    words = f"the model 'actual' is not for {KEY}"
    dialect.before(server)
    server.on(*dialect.asked, Answer(dialect.refusal(words), status=status, headers={"retry-after": "7"}))
    with pytest.raises(UpstreamRefused, match="the model 'actual' is not for") as failed:
        await ask(adapters[dialect.type].stream(a_request(), target_of(dialect, server)))
    refused = failed.value
    assert refused.upstream_status == status
    told = (refused.status, refused.type, refused.code, refused.another_target_may_help, refused.client_may_retry)
    assert told == REFUSALS[status]
    assert refused.retry_after_seconds == 7
    assert KEY not in str(refused)
    assert server.paths() == [" ".join(dialect.asked)]


@every_backend
async def test_nobody_listens(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    adapter = adapters[dialect.type]
    with socket.socket() as taken:  # bound and never listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        target = target_of(dialect, server)
        with pytest.raises(UpstreamUnreachable):
            await ask(adapter.stream(a_request(), target))
        with pytest.raises(UpstreamUnreachable):
            await adapter.models(target)


@every_backend
async def test_silence_before_the_answer_times_out(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    released = asyncio.Event()

    async def silent(_: Seen) -> Answer:
        await released.wait()
        return Answer({})

    dialect.before(server)
    server.on(*dialect.asked, silent)
    target = target_of(dialect, server, timeouts=Timeouts(connect=SOON, idle=0.05))
    with pytest.raises(dialect.silence):
        await asyncio.wait_for(ask(adapters[dialect.type].stream(a_request(), target)), SOON)
    released.set()


@every_stream
async def test_silence_within_the_answer_times_out(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    dialect.lay_out(server, *dialect.opening)
    target = target_of(dialect, server, timeouts=Timeouts(connect=SOON, idle=0.05))
    with pytest.raises(dialect.silence):
        await asyncio.wait_for(ask(adapters[dialect.type].stream(a_request(), target)), SOON)


# ── what is asked ──


@pytest.mark.parametrize(
    ("dialect", "base"),
    [pytest.param(backend, base, id=f"{backend.name} {base}") for backend in BACKENDS for base in backend.bases],
)
async def test_the_route_is_found_however_the_url_is_written(
    dialect: Backend, base: str, server: Loopback, adapters: Adapters
) -> None:
    dialect.lay_out(server, text_of(dialect), *dialect.after)
    server.on(*dialect.models_at, Answer(dialect.lists_models))
    target = target_of(dialect, server, base=base)
    assert text(await ask(adapters[dialect.type].stream(a_request(), target))) == dialect.says
    assert server.paths()[0] == " ".join(dialect.asked)
    assert await adapters[dialect.type].models(target) == dialect.models
    assert server.paths()[-1] == " ".join(dialect.models_at)


@every_backend
async def test_the_key_and_the_virtual_models_headers_are_sent_with_every_request(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    await ask_for_everything(dialect, server, adapters[dialect.type], headers={"X-Team": "blue"})
    name, value = dialect.auth
    assert {(seen.headers.get(name), seen.headers.get("x-team")) for seen in server.seen} == {(value, "blue")}


@every_backend
async def test_the_virtual_models_headers_go_before_the_adapters_own(
    dialect: Backend, server: Loopback, adapters: Adapters
) -> None:
    name, _ = dialect.auth
    await ask_for_everything(dialect, server, adapters[dialect.type], headers={name.title(): "its own"})
    assert {seen.headers.get(name) for seen in server.seen} == {"its own"}


@every_backend
async def test_without_a_key_none_is_sent(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    await ask_for_everything(dialect, server, adapters[dialect.type], api_key=None)
    assert {seen.headers.get(dialect.auth[0]) for seen in server.seen} == {None}


async def ask_for_everything(dialect: Backend, server: Loopback, adapter: Adapter, **fields: Any) -> None:
    target = target_of(dialect, server, **fields)
    dialect.lay_out(server, text_of(dialect), *dialect.after)
    await ask(adapter.stream(a_request(), target))
    server.on(*dialect.models_at, Answer(dialect.lists_models))
    await adapter.models(target)
    if dialect.embeddings_at:
        server.on(*dialect.embeddings_at, Answer(dialect.embeds))
        await adapter.embed(an_embedding(*TEXTS), target)


# ── models and embeddings ──


@every_dialect
async def test_models_are_sorted(dialect: Dialect, server: Loopback, adapters: Adapters) -> None:
    if isinstance(dialect, Backend):
        server.on(*dialect.models_at, Answer(dialect.lists_models))
    found = await adapters[dialect.type].models(target_of(dialect, server, model=""))
    assert found == dialect.models == sorted(dialect.models)


@every_backend
async def test_a_refused_list_of_models_is_raised(dialect: Backend, server: Loopback, adapters: Adapters) -> None:
    server.on(*dialect.models_at, Answer(dialect.refusal(f"no {KEY}"), status=401))
    with pytest.raises(UpstreamRefused) as failed:
        await adapters[dialect.type].models(target_of(dialect, server, model=""))
    assert failed.value.upstream_status == 401
    assert KEY not in str(failed.value)


@over(dialect for dialect in DIALECTS if dialect.vectors is not None)
async def test_embeddings_come_in_the_order_of_the_texts(
    dialect: Dialect, server: Loopback, adapters: Adapters
) -> None:
    if isinstance(dialect, Backend) and dialect.embeddings_at:
        server.on(*dialect.embeddings_at, Answer(dialect.embeds))
    answer = await adapters[dialect.type].embed(an_embedding(*TEXTS, dimensions=2), target_of(dialect, server))
    assert answer.vectors == dialect.vectors
    assert answer.usage == Usage(2)


@over(dialect for dialect in DIALECTS if dialect.vectors is None)
async def test_who_offers_no_embeddings_says_so(dialect: Dialect, server: Loopback, adapters: Adapters) -> None:
    with pytest.raises(InvalidRequest, match="embeddings"):
        await adapters[dialect.type].embed(an_embedding(*TEXTS), target_of(dialect, server))
    assert server.seen == []


# ── what a backend cannot be told ──


def a_rich_request(wire: str) -> ChatRequest:
    return a_request(
        native=Native(wire, {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "tomorrow": 1}),
        messages=(
            says("system", "Be brief."),
            says("developer", "Be kind."),
            Message("user", (TextPart("look", CacheMark("1h")), ImagePart(data="aGk=", media_type="image/png"))),
            Message("assistant", (ToolCallPart("call_1", "get_weather", '{"city":"Rome"}'),)),
            Message("tool", (ToolResultPart("call_1", (TextPart("sunny"),), is_error=True),)),
        ),
        tools=(WEATHER,),
        tool_choice=ToolChoice("named", "get_weather"),
        parallel_tool_calls=False,
        sampling=Sampling(
            max_tokens=9, temperature=0.1, top_p=0.2, top_k=3, min_p=0.4, repetition_penalty=1.1, presence_penalty=0.5,
            frequency_penalty=0.6, seed=7, stop=("END",), n=2, logprobs=True, top_logprobs=2, logit_bias={"1": 2},
        ),
        response_format=ResponseFormat("json_schema", "place", {"type": "object"}, strict=True),
        reasoning=ReasoningRequest("high"),
        include_usage=True,
        user="ann",
        extras=("tomorrow",),
    )  # fmt: skip


@pytest.mark.parametrize("wire", ["openai_chat", "openai_completions", "anthropic_messages", "ollama"])
@every_dialect
def test_what_is_dropped_is_told_without_asking(dialect: Dialect, wire: str) -> None:
    adapter = Adapters(PooledUpstream())[dialect.type]
    target = a_target("http://127.0.0.1:1", type=dialect.type, model=dialect.model, options=dialect.options)
    request = a_rich_request(wire)
    dropped = adapter.dropped(request, target)
    assert isinstance(dropped, tuple)
    assert all(isinstance(field, str) and field for field in dropped)
    assert len(set(dropped)) == len(dropped)
    assert type(adapter.serves_choices(request, target)) is bool
    assert adapter.serves_choices(a_request(), target)
