"""The built-in formats of tool calls in text, as data: what opens one, what closes it, and how its inside is read.

Administrators see these rows beside their own patterns and switch them by `id`. `READERS` in `readers/` has the
functions that `reader` names.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

VERSION = 1

Where: TypeAlias = Literal["anywhere", "line", "start"]


class Format(NamedTuple):
    """One way to write a call.

    `strong`: its opening and a declared name are proof enough to stream the arguments; the others go out whole.
    `json`: an answer in JSON mode could look the same. `opens_with_name`: `<name>` or a line with the name opens it.
    """

    id: str
    title: str
    reader: str
    example: str
    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    where: Where = "anywhere"
    strong: bool = True
    json: bool = False
    on: bool = True
    opens_with_name: Literal["", "tag", "line"] = ""


NAMESPACES = ("", "antml:", "｜DSML｜", "｜", "atem:", "steptml:")
"""What stands before the tag names of Anthropic's prompt format when other models, or leaks, write it."""


MINIMAX = "]<]minimax[>["  # before every tag of MiniMax-M3


def spaced(bracket: str, rest: str) -> tuple[str, ...]:
    """The same tag in every namespace, MiniMax-M3's brackets among them."""
    return (*(bracket + space + rest for space in NAMESPACES), MINIMAX + bracket + rest)


END_TOKENS = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|call|>", "<|return|>", "<|end|>",
    "</s>", "<|eos|>", "<|end_message|>", "<bot_end>", "<｜end▁of▁sentence｜>", "<|python_end|>", "<turn|>",
)  # fmt: skip
"""What may trail a call without meaning anything."""

FORMATS: tuple[Format, ...] = (
    Format(
        "hermes", "JSON, name lines or parameters in <tool_call> (Hermes, Qwen, GLM, Granite, Poolside)", "body",
        '<tool_call>\n{"name": "T", "arguments": {"k": "v"}}\n</tool_call>',
        openers=("<tool_call>", "<tool_calls>", "<function_invocation>", "<longcat_tool_call>", "<seed:tool_call>"),
        closers=(
            "</tool_call>", "</tool_calls>", "</function_invocation>", "</longcat_tool_call>", "</seed:tool_call>",
            "<tool_call>", "<tool_calls>",
        ),
    ),
    Format(
        "function_calls", "Wrapped invocations (Anthropic's prompt format, MiniMax, DSML, OLMo)", "body",
        '<function_calls>\n<invoke name="T">\n<parameter name="k">v</parameter>\n</invoke>\n</function_calls>',
        openers=(
            *spaced("<", "function_calls>"), "<minimax:tool_call>", "<｜DSML｜tool_calls>", "<dots_function_call>",
            MINIMAX + "<tool_call>",
        ),
        closers=(
            *spaced("</", "function_calls>"), "</minimax:tool_call>", "</｜DSML｜tool_calls>", "</dots_function_call>",
            MINIMAX + "</tool_call>",
        ),
    ),
    Format(
        "function_tag", "Named parameters in <function=T> (Qwen3-Coder, Step, Nemotron, MiniCPM, Llama, Functionary)",
        "tag", "<function=T>\n<parameter=k>\nv\n</parameter>\n</function>",
        openers=("<function=", "<function name=", "<xai:function_call name=", "<tool_use code name=", "<tool name="),
        closers=("</function>", "</xai:function_call>", "</tool_use>"),
    ),
    Format(
        "invoke_tag", "Named parameters in <invoke name=T> without their wrapper", "tag",
        '<invoke name="T">\n<parameter name="k">v</parameter>\n</invoke>',
        openers=spaced("<", "invoke name="), closers=spaced("</", "invoke>"),
    ),
    Format(
        "mistral", "Mistral: [TOOL_CALLS] with JSON or a name", "body", '[TOOL_CALLS]T[ARGS]{"k": "v"}',
        openers=("[TOOL_CALLS]",), closers=("[/TOOL_CALLS]", "[TOOL_CALLS]"),
    ),
    Format(
        "deepseek", "DeepSeek V3, R1, V3.1 and Step: <｜tool▁calls▁begin｜>", "body",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>T<｜tool▁sep｜>{"k": "v"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        openers=(
            "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<|tool_calls_begin|>", "<|tool_calls▁begin|>",
            "<|tool▁calls▁begin|>", "<|tool▁call▁begin|>", "<｜tool_calls_begin｜>", "<｜tool_call_begin｜>",
        ),
        closers=(
            "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<|tool_calls_end|>",
            "<|tool▁call▁end|>", "<|tool▁calls▁end|>", "<｜tool_call_end｜>", "<｜tool_calls_end｜>",
        ),
    ),
    Format(
        "kimi", "Kimi K2: <|tool_calls_section_begin|>", "body",
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.T:0<|tool_call_argument_begin|>{"k": "v"}'
        "<|tool_call_end|><|tool_calls_section_end|>",
        openers=("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>", "<|tool_call_begin|>"),
        closers=("<|tool_call_end|>", "<|tool_calls_section_end|>", "<|tool_call_section_end|>"),
    ),
    Format(
        "special_tokens", "JSON after a special token (Cohere, Granite 3, InternLM, Apertus, GigaChat, LFM2, Llama)",
        "body", '<|tool_call|>[{"name": "T", "arguments": {"k": "v"}}]',
        openers=(
            "<|START_ACTION|>", "<|tool_call|>", "<|action_start|>", "<|tools_prefix|>", "<|function_call|>",
            "<|python_tag|>", "<|python_start|>", "<|tool_call_start|>", "<<function>>",
        ),
        closers=("<|END_ACTION|>", "<|/tool_call|>", "<|action_end|>", "<|tools_suffix|>", "<|tool_call_end|>"),
    ),
    Format(
        "gigachat", "GigaChat: function call<|role_sep|>", "body",
        'function call<|role_sep|>\n{"name": "T", "arguments": {"k": "v"}}', openers=("function call<|role_sep|>",),
        where="line",
    ),
    Format(
        "json_tags", "JSON in other tags (Nemotron, the original's [TOOL_CALL] and <tool_code>)", "body",
        '<TOOLCALL>[{"name": "T", "arguments": {"k": "v"}}]</TOOLCALL>',
        openers=("<TOOLCALL>", "[TOOL_CALL]", "<tool_code>", "<function_call>"),
        closers=("</TOOLCALL>", "[/TOOL_CALL]", "</tool_code>", "</function_call>"),
    ),
    Format(
        "functools", "functools[…] (Phi-4-mini, FireFunction)", "body",
        'functools[{"name": "T", "arguments": {"k": "v"}}]', openers=("functools",), strong=False,
    ),
    Format(
        "bracket_tool", "[tool]T[/tool] {…}", "named", '[tool]T[/tool] {"k": "v"}', openers=("[tool]",),
    ),
    Format(
        "inkling", "Inkling: <|message_model|>T<|content_invoke_tool_json|>", "named",
        '<|message_model|>T<|content_invoke_tool_json|>{"name": "T", "args": {"k": "v"}}<|end_message|>',
        openers=("<|message_model|>",),
    ),
    Format(
        "qwen_agent", "Qwen-Agent: ✿FUNCTION✿", "named", '✿FUNCTION✿: T\n✿ARGS✿: {"k": "v"}\n✿RESULT✿',
        openers=("✿FUNCTION✿",), closers=("✿RETURN✿:", "✿RETURN✿"),
    ),
    Format(
        "functionary", "Functionary v3.2: >>>T", "functionary", '>>>T\n{"k": "v"}', openers=(">>>",), where="line",
        strong=False,
    ),
    Format(
        "gemma", "Gemma 4 and FunctionGemma: call:T{…}", "gemma", '<|tool_call>call:T{k:<|"|>v<|"|>}<tool_call|>',
        openers=("<|tool_call>", "<start_function_call>"),
        closers=("<tool_call|>", "<end_function_call>"),
    ),
    Format(
        "gemma_bare", "Gemma without its tokens: call:T{…} on its own line", "gemma", "call:T{k:1}",
        openers=("call:", "<call>"), where="line", strong=False,
    ),
    Format(
        "xtml", "Kimi K3: <|open|>call tool=…", "xtml",
        '<|open|>tools<|sep|><|open|>call tool="T" index="1"<|sep|><|open|>argument key="k" type="string"<|sep|>v'
        "<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>",
        openers=("<|open|>tools<|sep|>", "<|open|>call "),
        closers=("<|close|>tools<|sep|>", "<|close|>call<|sep|>"),
    ),
    Format(
        "harmony", "Harmony: a message to=functions.T (gpt-oss)", "harmony",
        '<|channel|>commentary to=functions.T <|constrain|>json<|message|>{"k": "v"}<|call|>',
        openers=("<|channel|>", "<|start|>"),
    ),
    Format(
        "harmony_stripped", "Harmony without its tokens: commentary to=functions.T json{…}", "harmony",
        'commentary to=functions.T json{"k": "v"}',
        openers=("commentary to=", "analysis to=", "assistantcommentary to=", "assistantanalysis to="), where="line",
    ),
    Format(
        "react", "ReAct: Action and Action Input (LangChain, LlamaIndex, smolagents)", "react",
        'Action: T\nAction Input: {"k": "v"}', openers=("Action:",), where="line", strong=False,
    ),
    Format(
        "tag_per_tool", "The tool's name as the tag (Cline, Roo, Kilo)", "tag_per_tool", "<T>\n<k>v</k>\n</T>",
        where="line", opens_with_name="tag",
    ),
    Format(
        "name_line", "The name on a line of its own, then JSON (GLM-4, ChatGLM3)", "name_line", 'T\n{"k": "v"}',
        where="line", strong=False, json=True, opens_with_name="line",
    ),
    Format(
        "bare_json", "JSON with a name and arguments and nothing around it", "bare_json",
        '{"name": "T", "arguments": {"k": "v"}}', openers=("{", "["), where="line", strong=False, json=True,
    ),
    Format(
        "pythonic", "A list of Python calls (Llama 4, ToolACE)", "pythonic", "[T(k='v')]", openers=("[",),
        where="line", strong=False, json=True,
    ),
    Format(
        "nexus", "NexusRaven: Call: T(…)", "python_line", "Call: T(k='v')<bot_end>", openers=("Call:",),
        where="line", strong=False,
    ),
    Format(
        "python_line", "A Python call on a line of its own", "python_line", "T(k='v')",
        openers=("print(",), where="line", strong=False, on=False, opens_with_name="line",
    ),
    Format(
        "fence", "A Markdown fence that holds nothing but calls", "fence",
        '```json\n{"name": "T", "arguments": {"k": "v"}}\n```', openers=("```",), where="line", strong=False, json=True,
    ),
)  # fmt: skip

BY_ID = {row.id: row for row in FORMATS}
