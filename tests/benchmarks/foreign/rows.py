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
_SGLANG_AND_VLLM = (
    ("hermes", "hermes", "hermes", ""),
    ("qwen3_coder", "qwen3_coder", "qwen_coder", ""),
    ("mistral", "mistral", "mistral", ""),
    ("llama3_json", "llama3", "llama", ""),
    ("pythonic", "pythonic", "pythonic", ""),
    ("deepseek_v3", "deepseekv3", "deepseek", _FENCED),
    ("deepseek_v31", "deepseekv31", "deepseek", rf"(?s){_PLAIN}"),
    ("deepseek_v32", "deepseekv32", "dsml", "｜function_calls"),
    ("deepseek_v4", "deepseekv4", "dsml", "｜tool_calls"),
    ("kimi_k2", "kimi_k2", "kimi", ""),
    ("kimi_k3", "kimi_k3", "xtml", ""),
    ("glm45", "glm45", "glm", ""),
    ("glm47", "glm47", "glm", ""),
    ("openai", "gpt-oss", "harmony", r"<\|channel\|>"),
    ("internlm", "interns1", "internlm", ""),
    ("hunyuan_a13b", "hunyuan", "tool_calls_tag", ""),
    ("lfm2", "lfm2", "lfm2", ""),
    ("minicpm5", "minicpm5", "minicpm", ""),
    ("minimax_m2", "minimax-m2", "minimax", "<minimax:tool_call>"),
    ("minimax_m3", "minimax-m3", "minimax", re.escape("]<]minimax[>[")),
    ("gigachat3", "gigachat3", "gigachat", ""),
    ("gemma4", "gemma4", "gemma", re.escape("<|tool_call>")),
    ("inkling", "inkling", "inkling", ""),
    ("apertus", "apertus2509", "apertus", ""),
    ("cohere_command4", "cohere_command4", "cohere", ""),
    ("dots", "dots", "invoke", "dots_function_call"),
    ("muse_glimmer", "muse", "invoke", "atem:"),
    ("step3", "step3", "invoke", "steptml:"),
)

ROWS = (
    *(Row("vLLM", vllm, family, only) for vllm, _, family, only in _SGLANG_AND_VLLM),
    Row("vLLM", "llama4_pythonic", "pythonic"),
    Row("vLLM", "cohere_command3", "cohere"),
    Row("vLLM", "functiongemma", "gemma", "<start_function_call>"),
    Row("vLLM", "granite", "granite"),
    Row("vLLM", "jamba", "tool_calls_tag"),
    Row("vLLM", "longcat", "longcat"),
    Row("vLLM", "olmo3", "olmo"),
    Row("vLLM", "phi4_mini_json", "functools"),
    Row("vLLM", "seed_oss", "seed_oss"),
    Row("vLLM", "xlam", "xlam"),
    *(Row("SGLang", sglang, family, only) for _, sglang, family, only in _SGLANG_AND_VLLM),
    Row("SGLang", "qwen25", "hermes"),
    Row("openai-harmony", "harmony", "harmony", r"<\|channel\|>"),
    Row("agent frameworks", "langchain ReAct", "react", "Action Input"),
    Row("agent frameworks", "langchain JSON", "react", '"action"'),
    Row("agent frameworks", "llama-index ReAct", "react", "Action Input"),
    Row("agent frameworks", "smolagents", "bare_json"),
    Row("Qwen-Agent", "nous", "hermes"),
    Row("Qwen-Agent", "qwen", "qwen_agent"),
)
