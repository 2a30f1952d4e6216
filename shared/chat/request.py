"""What a client asks for, in one form for every protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from shared.wire import JsonObject

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


class CacheMark(NamedTuple):
    """Anthropic's `cache_control` (OpenAI: `prompt_cache_breakpoint`): the prompt up to here is worth caching."""

    ttl: Literal["5m", "1h"] | None = None


class TextPart(NamedTuple):
    text: str
    cache: CacheMark | None = None


class ImagePart(NamedTuple):
    """An image, either at `url` (http or https) or as base64 `data` with its `media_type`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache: CacheMark | None = None


class AudioPart(NamedTuple):
    """Spoken input: base64 `data`; `format` is OpenAI's word for it, `wav` or `mp3`."""

    data: str
    format: str


class FilePart(NamedTuple):
    """A document: base64 `data` with its `media_type`, plain `text`, a `url`, or a provider's `file_id`."""

    data: str | None = None
    text: str | None = None
    url: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    filename: str | None = None
    cache: CacheMark | None = None


class RefusalPart(NamedTuple):
    text: str


class ReasoningPart(NamedTuple):
    """Earlier thinking that the client sends back; `signature` or `redacted` only as their provider minted them."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None


class ToolCallPart(NamedTuple):
    """A call the assistant made; `arguments` is the JSON text exactly as it was sent."""

    id: str
    name: str
    arguments: str
    cache: CacheMark | None = None


class ToolResultPart(NamedTuple):
    """The answer to the call `id`; its content may hold text and images."""

    id: str
    content: tuple[Part, ...]
    is_error: bool = False
    name: str | None = None
    cache: CacheMark | None = None


Part: TypeAlias = (
    TextPart | ImagePart | AudioPart | FilePart | RefusalPart | ReasoningPart | ToolCallPart | ToolResultPart
)


class Message(NamedTuple):
    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(NamedTuple):
    """A function the model may call; `parameters` is a JSON schema, None when the client gave none."""

    name: str
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None
    cache: CacheMark | None = None


class ToolChoice(NamedTuple):
    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


class ResponseFormat(NamedTuple):
    """JSON mode: any object, or one that fits `schema`."""

    kind: Literal["json_object", "json_schema"]
    name: str | None = None
    schema: JsonObject | None = None
    strict: bool | None = None


class ReasoningRequest(NamedTuple):
    """How much to think: `effort` in OpenAI's words (none … max), or Anthropic's `budget_tokens`."""

    effort: str | None = None
    budget_tokens: int | None = None
    adaptive: bool = False


class Sampling(NamedTuple):
    """Sampling parameters; None means the client said nothing and the backend decides."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    logit_bias: JsonObject | None = None


class Native(NamedTuple):
    """A body as it stood on the wire, so that nothing is lost where both sides speak the same one.

    `wire` is the protocol room's name: `openai_chat`, `openai_completions`, `anthropic_messages`, `ollama`.
    """

    wire: str
    body: JsonObject


class Policy(NamedTuple):
    """What the virtual model adds where the client said nothing; already in the canonical fields, kept for `native`."""

    system_prompt: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None


class ChatRequest(NamedTuple):
    """One question to one virtual model.

    `extras` are the client's top-level fields that the canonical form has no word for: a backend of the same wire gets
    them in `native`, any other reports them as dropped. `prompts` and `suffix` are set for legacy completions only
    (`native.wire == "openai_completions"`); when there is one text prompt, `messages` holds it as a user message.
    `headers` are the client's own that a backend may want (`x-source`, `x-priority`), lower case.
    """

    model: str
    messages: tuple[Message, ...]
    native: Native
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = Sampling()
    response_format: ResponseFormat | None = None
    reasoning: ReasoningRequest | None = None
    stream: bool = False
    include_usage: bool = False
    user: str | None = None
    prompts: tuple[Prompt, ...] = ()
    suffix: str | None = None
    extras: tuple[str, ...] = ()
    policy: Policy = Policy()
    headers: tuple[tuple[str, str], ...] = ()


Prompt: TypeAlias = str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts (or token lists) to embed; the answer is encoded as the client asked, whatever the backend returns."""

    model: str
    inputs: tuple[Prompt, ...]
    native: Native
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = None


def text_of(parts: tuple[Part, ...], separator: str = "\n") -> str:
    """The plain text among `parts`."""
    return separator.join(part.text for part in parts if isinstance(part, (TextPart, RefusalPart)))
