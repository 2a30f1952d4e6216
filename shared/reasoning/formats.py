"""The formats of reasoning in an answer's text, as data.

No sentence of a real answer may be taken for a thought: an opening counts at the start of the answer, phrases count
only with their closing phrase, and they and tags that users ask for themselves (`<answer>`) are off until a virtual
model wants them.
"""

from __future__ import annotations

from typing import NamedTuple

VERSION = 1


class ReasoningFormat(NamedTuple):
    """`openers` … `closers`; without openers, the format only has markup to drop.

    `anywhere`: special tokens, which count in the middle of an answer too; all others only at its start and right after
    other reasoning. `ends_before`: what ends it without being part of it. `drops`: markup around the answer.
    `before_capital`: the opener is glued to the first word, which has a capital. `proven`: a phrase that could begin an
    answer, so that nothing is taken for reasoning, or said, before the closing phrase has come.
    """

    id: str
    title: str
    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    ends_before: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    anywhere: bool = False
    before_capital: bool = False
    proven: bool = False
    on: bool = True


def tags(*names: str) -> tuple[ReasoningFormat, ...]:
    return tuple(ReasoningFormat(name, f"<{name}> … </{name}>", (f"<{name}>",), (f"</{name}>",)) for name in names)


REASONING_FORMATS: tuple[ReasoningFormat, ...] = (
    *tags("think", "thinking", "thought", "reasoning", "budget:thinking", "_thinking", "reflection"),
    ReasoningFormat("seed_think", "Seed-OSS", ("<seed:think>",), ("</seed:think>",), anywhere=True),
    ReasoningFormat("mm_think", "MiniMax-M3", ("<mm:think>",), ("</mm:think>",), anywhere=True),
    ReasoningFormat("mistral_think", "Magistral, Ministral", ("[THINK]",), ("[/THINK]",), anywhere=True),
    ReasoningFormat("kimi_vl", "Kimi-VL", ("◁think▷",), ("◁/think▷",), anywhere=True),
    ReasoningFormat(
        "cohere", "Cohere", ("<|START_THINKING|>",), ("<|END_THINKING|>",), anywhere=True,
        drops=("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"),
    ),
    ReasoningFormat("apertus", "Apertus", ("<|inner_prefix|>",), ("<|inner_suffix|>",), anywhere=True),
    ReasoningFormat("gemma4", "Gemma 4", ("<|channel>thought\n", "<|channel>thought"), ("<channel|>",), anywhere=True),
    ReasoningFormat(
        "kimi_k3", "Kimi K3", ("<|open|>think<|sep|>",), ("<|close|>think<|sep|>",), anywhere=True,
        drops=("<|open|>response<|sep|>", "<|close|>response<|sep|>"),
    ),
    ReasoningFormat("pangu", "Pangu", ("[unused16]",), ("[unused17]",), anywhere=True),
    ReasoningFormat(
        "inkling", "Inkling", ("<|content_thinking|>",), ("<|end_message|>",), anywhere=True,
        drops=("<|content_text|>",),
    ),
    ReasoningFormat("thinking_token", "<|thinking|>", ("<|thinking|>",), ("<|/thinking|>",), anywhere=True),
    ReasoningFormat("thinking_line", "_Thinking:_ to the end of the line", ("_Thinking:_", "_Thinking:"), ("\n",)),
    ReasoningFormat(
        "harmony", "Harmony's analysis channel (gpt-oss)",
        ("<|channel|>analysis<|message|>", "<|start|>assistant<|channel|>analysis<|message|>"),
        (
            "<|end|>", "<|return|>", "<|channel|>final<|message|>", "<|start|>assistant<|channel|>final<|message|>",
            "<|channel|>commentary<|message|>", "<|start|>assistant<|channel|>commentary<|message|>",
        ),
        ends_before=(
            "<|start|>assistant<|channel|>commentary to=", "<|start|>assistant to=", "<|channel|>commentary to=",
            "<|start|>assistant<|channel|>analysis to=", "<|channel|>analysis to=",
            "<|start|>assistant<|channel|>final to=",
        ),
        drops=(
            "<|channel|>final<|message|>", "<|start|>assistant<|channel|>final<|message|>", "<|return|>",
            "<|channel|>commentary<|message|>", "<|start|>assistant<|channel|>commentary<|message|>", "<|end|>",
        ),
        anywhere=True,
    ),
    ReasoningFormat(
        "harmony_stripped", "Harmony without its tokens: analysis…assistantfinal…", ("analysis",),
        ("assistantfinal", "assistantcommentary"),
        ends_before=("assistantcommentary to=", "assistantanalysis to=", "commentary to=functions."),
        before_capital=True,
        proven=True,
    ),
    ReasoningFormat(
        "glm_box", "GLM-V's box around the answer", drops=("<|begin_of_box|>", "<|end_of_box|>"), anywhere=True,
    ),
    ReasoningFormat(
        "granite", "Granite 3.2: Here is my thought process: …",
        ("Here is my thought process:", "Here's my thought process:"),
        ("Here is my response:", "Here's my response:"), proven=True, on=False,
    ),
    ReasoningFormat(
        "apriel", "Apriel: Here are my reasoning steps: …", ("Here are my reasoning steps:",),
        ("[BEGIN FINAL RESPONSE]",), drops=("\n[END FINAL RESPONSE]", "[END FINAL RESPONSE]"), proven=True, on=False,
    ),
    ReasoningFormat("answer_tag", "Hunyuan: <answer>", drops=("<answer>", "\n</answer>", "</answer>"), on=False),
    ReasoningFormat("output_tag", "Reflection: <output>", drops=("<output>", "\n</output>", "</output>"), on=False),
)  # fmt: skip


def formats_of(on: frozenset[str] = frozenset(), off: frozenset[str] = frozenset()) -> tuple[ReasoningFormat, ...]:
    return tuple(row for row in REASONING_FORMATS if (row.on or row.id in on) and row.id not in off)
