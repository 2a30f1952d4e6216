"""Which foreign parser claims which family of the corpus."""

from __future__ import annotations

import re
from typing import NamedTuple


class Row(NamedTuple):
    """`only`: what the raw text of a call has where a family's file holds several formats that go by version."""

    project: str
    parser: str
    family: str
    only: str = ""

    def claims(self, case: dict[str, object]) -> bool:
        return case["family"] == self.family and re.search(self.only, str(case["raw"])) is not None


_FENCED = r"function<｜tool▁sep｜>"
_PLAIN = rf"^(?!.*{_FENCED})"
_LIST = r"<tool_calls>\s*\[\{"

_VLLM_AND_SGLANG = (
    ("hermes", "hermes", "hermes", ""),
    ("qwen3_coder", "qwen3_coder", "qwen_coder", ""),
    ("llama3_json", "llama3", "llama", ""),
    ("pythonic", "pythonic", "pythonic", ""),
    ("deepseek_v3", "deepseekv3", "deepseek", _FENCED),
    ("deepseek_v31", "deepseekv31", "deepseek", rf"(?s){_PLAIN}"),
    ("deepseek_v32", "deepseekv32", "dsml", "｜function_calls"),
    ("deepseek_v4", "deepseekv4", "dsml", "｜tool_calls"),
    ("kimi_k2", "kimi_k2", "kimi", ""),
    ("kimi_k3", "kimi_k3", "xtml", ""),
    ("glm45", "glm45", "glm", ""),
    ("hy_v3", "hunyuan", "glm", "<tool_sep>"),
    ("openai", "gpt-oss", "harmony", r"<\|channel\|>"),
    ("internlm", "interns1", "internlm", ""),
    ("lfm2", "lfm2", "lfm2", ""),
    ("minicpm5", "minicpm5", "minicpm", ""),
    ("minimax_m2", "minimax-m2", "minimax", "<minimax:tool_call>"),
    ("minimax_m3", "minimax-m3", "minimax", re.escape("]<]minimax[>[")),
    ("gigachat3", "gigachat3", "gigachat", ""),
    ("gemma4", "gemma4", "gemma", re.escape("<|tool_call>")),
    ("inkling", "inkling", "inkling", ""),
    ("apertus", "apertus2509", "apertus", ""),
    ("dots", "dots", "invoke", "dots_function_call"),
    ("muse_glimmer", "muse", "invoke", "atem:"),
    ("step3", "step3", "invoke", "steptml:"),
)

ROWS = (
    *(Row("vLLM", vllm, family, only) for vllm, _, family, only in _VLLM_AND_SGLANG),
    Row("vLLM", "llama4_pythonic", "pythonic"),
    Row("vLLM", "mistral", "mistral", r"TOOL_CALLS\]\w"),
    Row("vLLM", "mistral before v11", "mistral", r"TOOL_CALLS\] ?\["),
    Row("vLLM", "hunyuan_a13b", "tool_calls_tag", _LIST),
    Row("vLLM", "functiongemma", "gemma", "<start_function_call>"),
    Row("vLLM", "granite", "granite"),
    Row("vLLM", "jamba", "tool_calls_tag", _LIST),
    Row("vLLM", "longcat", "longcat", '"name"'),
    Row("vLLM", "olmo3", "olmo"),
    Row("vLLM", "phi4_mini_json", "functools"),
    Row("vLLM", "seed_oss", "seed_oss"),
    Row("vLLM", "xlam", "xlam"),
    *(Row("SGLang", sglang, family, only) for _, sglang, family, only in _VLLM_AND_SGLANG),
    Row("SGLang", "qwen25", "hermes"),
    Row("SGLang", "mistral", "mistral"),
    Row("SGLang", "cohere_command4", "cohere"),
    Row("openai-harmony", "harmony", "harmony", r"<\|channel\|>"),
    Row("agent frameworks", "langchain ReAct", "react", "Action Input"),
    Row("agent frameworks", "langchain JSON", "bare_json", '"action"'),
    Row("agent frameworks", "llama-index ReAct", "react", "Action Input"),
    Row("agent frameworks", "smolagents", "bare_json", r'^\s*\{"name"'),
    Row("Qwen-Agent", "nous", "hermes"),
    Row("Qwen-Agent", "qwen", "qwen_agent"),
)
