"""What coding assistants call the same thing: names of tools and of their parameters, and defaults they demand.

Only consulted for tools that the request declares, and only where the exact name fails: a row never renames what fits.
"""

from __future__ import annotations

from typing import Any

TOOL_NAMES: dict[str, tuple[str, ...]] = {
    "read_file": ("read",),
    "write_file": ("write",),
    "edit_file": ("edit",),
    "run_command": ("bash",),
    "execute_command": ("bash",),
    "shell": ("bash",),
}
"""A name that is not declared → the declared tools it may mean."""

PARAMETERS: tuple[tuple[str, ...], ...] = (
    ("filePath", "file_path", "path", "file", "filename", "file_name", "absolute_path", "target_file"),
    ("command", "cmd", "shell_command", "script", "bash"),
    ("content", "contents", "file_text", "file_content", "text", "data"),
    ("oldString", "old_string", "old_str", "old_text", "search"),
    ("newString", "new_string", "new_str", "new_text", "replace"),
    ("replaceAll", "replace_all"),
    ("query", "q", "search_query", "keywords"),
    ("pattern", "regex", "glob", "glob_pattern"),
    ("url", "uri", "link"),
    ("todos", "items", "tasks", "todo", "todo_list"),
)
"""Each row is one meaning: an undeclared key becomes the one declared key of its row, if exactly one is."""

LOOSE_PARAMETERS: dict[str, dict[str, tuple[str, ...]]] = {
    "bash": {"command": ("filePath", "file_path", "value", "query", "path")},
    "read": {"filePath": ("value", "query")},
    "write": {"filePath": ("path",), "content": ("value",)},
    "todowrite": {"todos": ("value",)},
}
"""Per tool: a missing required key → undeclared keys that models put its value under, the likeliest first."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "bash": {"description": "Run bash command"},
    "todowrite": {"status": "pending", "priority": "medium"},
}
"""Per tool: what a required key gets (in nested objects too) when the model left it out."""
