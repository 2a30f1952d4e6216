"""The ten patterns of the original, seeded once as the administrator's own to edit, switch off or delete.

The built-in formats read all of what these match, and more of it; installations know them by name.
`action` ships switched off: it takes every Markdown link and citation (`[README](…)`, `[task 3]`) for a call.
"""

from __future__ import annotations

from typing import Any

_PATH = {"file_path": "filePath"}


def _row(priority: int, name: str, kind: str, regex: str, **fields: Any) -> dict[str, Any]:
    return {
        "pattern_name": name, "pattern_type": kind, "regex_pattern": regex, "tool_name": None, "tool_name_group": None,
        "tool_name_json_path": None, "tool_name_mapping": {}, "parameter_mapping": {}, "enabled": True,
        "priority": priority, **fields,
    }  # fmt: skip


DEFAULT_PATTERNS: tuple[dict[str, Any], ...] = (
    _row(100, "fence_json", "fence", r"```\s*(\w*)\s*\n?(.*?)```", tool_name_json_path="name"),
    _row(
        90, "inline_json", "inline", r"\{.*?\"name\"\s*:\s*\"(\w+)\".*?\"arguments\"\s*:\s*(\{[^}]*\})",
        tool_name_group=1,
    ),
    _row(
        87, "tool_call_bare_param", "xml",
        r"<tool_call>\s*(\w+)\s*<parameter=(\w+)>\s*(.*?)\s*</parameter>\s*(?:</function>\s*)?(?:</tool_call>)?",
        tool_name_group=1, parameter_mapping={**_PATH, "command": "command"},
    ),
    _row(
        86, "tool_call_nested_xml", "xml",
        r"<tool_call>\s*<function=(\w+)>\s*<parameter=(\w+)>\s*(.*?)\s*</parameter>\s*</function>\s*</tool_call>",
        tool_name_group=1, parameter_mapping=_PATH,
    ),
    _row(85, "tool_call_alt", "bracket", r"\[TOOL_CALL\]\s*(\{.*?\})\s*\[/TOOL_CALL\]", tool_name_json_path="name"),
    _row(80, "tool_use", "xml", r'<tool_use\s+code\s+name="(\w+)"\s*>(.*?)</tool_use>', tool_name_group=1),
    _row(80, "tool_code", "xml", r"<tool_code>(.*?)</tool_code>", tool_name_json_path="name"),
    _row(80, "tool_call", "xml", r"<tool_call>(.*?)</tool_call>", tool_name_json_path="name"),
    _row(70, "bracket_tool", "bracket", r"\[tool\](\w+)\[/tool\]\s*(\{.*?\})", tool_name_group=1),
    _row(
        60, "action", "action", r"\[([a-zA-Z][^\]]+)\]",
        tool_name_mapping={
            "searching": "grep", "search": "grep", "using task": "task", "task": "task", "reading": "read",
            "read": "read",
            "listing": "glob", "ls": "glob", "glob": "glob", "writing": "write", "write": "write", "editing": "edit",
            "edit": "edit", "running": "bash", "bash": "bash", "executing": "bash",
        },
        parameter_mapping={"action": "action"}, enabled=False,
        notes="Off: it takes Markdown links and citations ([README](…), [task 3]) for calls.",
    ),
)  # fmt: skip
