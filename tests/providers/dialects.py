"""How the backend behind each endpoint type speaks: what it is asked, what it answers and what it does not offer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.chat.usage import Usage
from shared.errors import UpstreamFailure, UpstreamJobTimedOut, UpstreamTimedOut
from tests.providers.fixtures import fixture_bytes
from tests.providers.loopback import Answer, Loopback, Seen

KEY = "sk-contract-0123456789"
BEARER = ("authorization", f"Bearer {KEY}")
BROKE_OFF = "CUDA error: out of memory"
TEXTS = ("hello", "goodbye")

Route: TypeAlias = tuple[str, str]
Frames: TypeAlias = tuple[bytes, ...]
Calls: TypeAlias = tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What an adapter makes of its backend: the text, the usage and the tool calls of the recorded answers.

    `vectors` are those of `TEXTS` in two dimensions; None declares that the type offers no embeddings.
    """

    name: str
    type: str
    says: str
    usage: Usage
    calls: Calls
    models: list[str]
    vectors: list[list[float]] | None = field(default_factory=lambda: [[1.0, 0.0], [0.0, 1.0]])
    model: str = "actual"
    options: Mapping[str, Any] = field(default_factory=dict)


def _nothing_before(server: Loopback) -> None:
    """The one request is the answer's own."""


@dataclass(frozen=True, kw_only=True)
class Backend(Dialect):
    """A dialect that is spoken over HTTP.

    `bases` are the ways to write the endpoint's path. `asked` is the route of the first request, `answered` the one
    whose answer is the recording, `whole_at` the ones that answer in one piece. `text` and `tools` are recorded
    streams frame by frame, complete with frame `ends` of the text; `pack` makes a body of frames. `opening` answers
    with `first_words` and holds back the rest; empty, it declares that the wire never streams. `before` lays out what
    else is asked on the way, `after` is what the backend answers behind the recording.
    """

    bases: tuple[str, ...]
    asked: Route
    answered: Route
    whole_at: tuple[Route, ...]
    auth: tuple[str, str] = BEARER
    content_type: str
    text: Frames
    ends: int
    first_words: str = ""
    tools: Frames
    whole: bytes
    error: bytes
    refusal: Callable[[str], Any]
    pack: Callable[[Sequence[bytes]], bytes] = b"".join
    opening: tuple[Answer, ...] = ()
    before: Callable[[Loopback], None] = _nothing_before
    after: tuple[Answer, ...] = ()
    silence: type[UpstreamFailure] = UpstreamTimedOut
    models_at: Route
    lists_models: bytes
    embeddings_at: Route | None
    embeds: bytes = b""

    def lay_out(self, server: Loopback, *answers: Answer) -> None:
        self.before(server)
        server.on(*self.answered, *answers)

    def answer(self, frames: Frames, **fields: Any) -> Answer:
        return Answer(self.pack(frames), content_type=self.content_type, **fields)


def _events(name: str) -> Frames:
    return tuple(event + b"\n\n" for event in fixture_bytes(name).split(b"\n\n") if event.strip())


def _lines(name: str) -> Frames:
    return tuple(fixture_bytes(name).splitlines(keepends=True))


def _body(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _held(frames: Frames, content_type: str) -> tuple[Answer, ...]:
    return (Answer(pieces=(b"".join(frames),), content_type=content_type, hold=True),)


# ── OpenAI's wire ──

SSE = "text/event-stream"
OPENAI_MODELS = fixture_bytes("openai/models.json")
OPENAI_VECTORS = _body(
    {
        "data": [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.0]}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
)
_TEXT = _events("openai/text.sse")
_CALLS: Calls = (
    ("get_weather", {"city": "Wien"}),
    ("get_weather", {"city": "São Paulo"}),
    ("get_time", {"city": "東京"}),
)
_ERROR = _body({"error": {"message": BROKE_OFF, "type": "server_error", "code": 500}})


def _openai_refusal(message: str) -> Any:
    return {"error": {"message": message, "type": "some_error", "param": None, "code": None}}


def _openai(name: str, **fields: Any) -> Backend:
    chat = ("POST", fields.pop("chat", "/v1/chat/completions"))
    defaults: dict[str, Any] = {
        "type": name,
        "bases": ("", "/", "/v1", "/v1/"),
        "asked": chat,
        "answered": chat,
        "whole_at": (chat,),
        "content_type": SSE,
        "says": "Grüße aus 東京 🗼",
        "usage": Usage(7, 4, cache_read_tokens=2, reasoning_tokens=1),
        "calls": _CALLS,
        "text": _TEXT,
        "ends": 4,
        "first_words": "Grüße",
        "tools": _events("openai/parallel_tools.sse"),
        "whole": fixture_bytes("openai/text.json"),
        "error": b"data: " + _ERROR + b"\n\n",
        "refusal": _openai_refusal,
        "opening": _held(_TEXT[:2], SSE),
        "models_at": ("GET", "/v1/models"),
        "lists_models": OPENAI_MODELS,
        "models": ["actual-a", "actual-b"],
        "embeddings_at": ("POST", "/v1/embeddings"),
        "embeds": OPENAI_VECTORS,
    }
    return Backend(name=name, **{**defaults, **fields})


_QUEUE_IN_ONE_PIECE: dict[str, Any] = {
    "content_type": "application/json",
    "text": (fixture_bytes("openai/text.json"),),
    "ends": 0,
    "tools": (fixture_bytes("openai/parallel_tools.json"),),
    "error": _ERROR,
    "opening": (),
}


# ── RunPod's jobs ──

WORKER = "/v2/abc"
_WORKER: dict[str, Any] = {
    "type": "runpod",
    "models_at": ("GET", f"{WORKER}/openai/v1/models"),
    "embeddings_at": ("POST", f"{WORKER}/openai/v1/embeddings"),
}
_RUNPOD_TEXT = _events("runpod/chat.sse")


def _look(status: str, frames: Sequence[bytes] = ()) -> bytes:
    outputs = [{"output": frame.decode("utf-8", "ignore")} for frame in frames]
    return _body({"id": "job-1", "status": status, "stream": outputs})


def _completed(frames: Sequence[bytes]) -> bytes:
    return _look("COMPLETED", frames)


def _job_accepted(server: Loopback) -> None:
    def cancelled(_: Seen) -> Answer:
        server.left.set()
        return Answer({"id": "job-1", "status": "CANCELLED"})

    server.on("POST", f"{WORKER}/run", Answer({"id": "job-1", "status": "IN_QUEUE"}))
    server.on("GET", f"{WORKER}/status/job-1", Answer({"id": "job-1", "status": "COMPLETED", "output": []}))
    server.on("POST", f"{WORKER}/cancel/job-1", cancelled)


_JOBS: dict[str, Any] = {
    **_WORKER,
    "options": {"mode": "job"},
    "bases": (WORKER, f"{WORKER}/", f"{WORKER}/run", f"{WORKER}/openai/v1"),
    "asked": ("POST", f"{WORKER}/run"),
    "answered": ("GET", f"{WORKER}/stream/job-1"),
    "whole_at": (("GET", f"{WORKER}/status/job-1"), ("POST", f"{WORKER}/runsync")),
    "content_type": "application/json",
    "says": "Grüße, wörld 🌍",
    "usage": Usage(12, 5),
    "text": _RUNPOD_TEXT,
    "ends": 3,
    "first_words": "Grüße, ",
    "whole": fixture_bytes("runpod/whole.json"),
    "pack": _completed,
    "opening": (Answer(_look("IN_PROGRESS", _RUNPOD_TEXT[:2])), Answer(hold=True)),
    "before": _job_accepted,
    "after": (Answer(_look("COMPLETED")),),
    "silence": UpstreamJobTimedOut,
}


# ── Anthropic's wire ──

_MESSAGES = ("POST", "/v1/messages")
_MESSAGE = _events("anthropic/text.sse")


def _anthropic_refusal(message: str) -> Any:
    return {"type": "error", "error": {"type": "some_error", "message": message}, "request_id": "req_1"}


_ANTHROPIC = Backend(
    name="anthropic",
    type="anthropic",
    model="claude-sonnet-4-5",
    bases=("", "/", "/v1", "/v1/"),
    asked=_MESSAGES,
    answered=_MESSAGES,
    whole_at=(_MESSAGES,),
    auth=("x-api-key", KEY),
    content_type=SSE,
    says="Grüße, 世界 🌍",
    usage=Usage(25, 15),
    calls=(("get_weather", {"city": "Paris"}), ("get_time", {}), ("get_zone", {"of": "Rome"})),
    text=_MESSAGE,
    ends=len(_MESSAGE) - 1,
    first_words="Grüße",
    tools=_events("anthropic/parallel_tools.sse"),
    whole=_body(
        {
            "id": "msg_01Text",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-5-5",
            "content": [{"type": "text", "text": "Grüße, 世界 🌍"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 25, "output_tokens": 15},
        }
    ),
    error=b"event: error\ndata: "
    + _body({"type": "error", "error": {"type": "api_error", "message": BROKE_OFF}})
    + b"\n\n",
    refusal=_anthropic_refusal,
    opening=_held(_MESSAGE[:4], SSE),
    models_at=("GET", "/v1/models"),
    lists_models=_body({"data": [{"id": "claude-b"}, {"id": "claude-a"}], "has_more": False}),
    models=["claude-a", "claude-b"],
    embeddings_at=None,
    vectors=None,
)


# ── Ollama's wire ──

NDJSON = "application/x-ndjson"
_CHAT = ("POST", "/api/chat")
_ANSWER = _lines("ollama/text.ndjson")


def _ollama_refusal(message: str) -> Any:
    return {"error": message}


_OLLAMA = Backend(
    name="ollama",
    type="ollama",
    bases=("", "/", "/v1", "/v1/", "/api"),
    asked=_CHAT,
    answered=_CHAT,
    whole_at=(_CHAT,),
    content_type=NDJSON,
    says='Grüße, "wörld" 🌍',
    usage=Usage(26, 7),
    calls=(("get_weather", {"city": "Zürich"}), ("get_weather", {"city": "Rome"}), ("get_weather", {})),
    text=_ANSWER,
    ends=2,
    first_words="Grüße",
    tools=_lines("ollama/thinking_and_tools.ndjson"),
    whole=_body(
        {
            "model": "llama3.2",
            "created_at": "2026-08-04T08:52:19Z",
            "message": {"role": "assistant", "content": 'Grüße, "wörld" 🌍'},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 26,
            "eval_count": 7,
        }
    ),
    error=_body({"error": BROKE_OFF}) + b"\n",
    refusal=_ollama_refusal,
    opening=_held(_ANSWER[:1], NDJSON),
    models_at=("GET", "/api/tags"),
    lists_models=fixture_bytes("ollama/tags.json"),
    models=["embeddinggemma", "llama3.2:latest", "qwen3:8b"],
    embeddings_at=("POST", "/api/embed"),
    embeds=_body({"embeddings": [[1.0, 0.0], [0.0, 1.0]], "prompt_eval_count": 2}),
)


_DEMO = Dialect(
    name="demo",
    type="demo",
    options={"delay_ms": 0},
    says="Hello from the demo model. It is built into the gateway and needs no key: it repeats what you said, 'hello'. "
    "Add a real endpoint to get real answers.",
    usage=Usage(1, 29),
    calls=(("get_weather", {"city": "hello"}),),
    models=["demo"],
    vectors=[[-1.0, 0.0], [0.0, 1.0]],
)


DIALECTS: tuple[Dialect, ...] = (
    _openai("openai"),
    _openai(
        "openwebui",
        chat="/api/chat/completions",
        bases=("", "/", "/api", "/api/"),
        models_at=("GET", "/api/models"),
        embeddings_at=("POST", "/api/v1/embeddings"),
    ),
    _OLLAMA,
    _openai("vllm"),
    _openai("together", lists_models=_body([{"id": "actual-b"}, {"id": "actual-a"}])),
    _openai(
        "deepinfra",
        chat="/v1/openai/chat/completions",
        bases=("", "/", "/v1", "/v1/", "/v1/openai", "/v1/openai/"),
        models_at=("GET", "/v1/openai/models"),
        embeddings_at=("POST", "/v1/openai/embeddings"),
    ),
    _ANTHROPIC,
    _openai(
        "runpod by OpenAI's route",
        chat=f"{WORKER}/openai/v1/chat/completions",
        bases=(WORKER, f"{WORKER}/", f"{WORKER}/openai/v1", f"{WORKER}/openai/v1/"),
        **_WORKER,
    ),
    _openai("runpod by jobs", **_JOBS),
    _openai("queue", **_QUEUE_IN_ONE_PIECE),
    _openai("queue that streams", type="queue", options={"stream": True}),
    _DEMO,
)
BACKENDS: tuple[Backend, ...] = tuple(dialect for dialect in DIALECTS if isinstance(dialect, Backend))
