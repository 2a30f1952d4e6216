"""Texts that hold no call, against which a new pattern is tried before it is let loose on answers."""

from __future__ import annotations

HARMLESS: tuple[str, ...] = (
    "The capital of France is Paris. The final answer is 42.",
    "See the [README](https://example.com/readme) and [models](docs/models.md) for more.",
    "As shown by [1] and [task 3], reading [the report] pays off [sic].",
    "You can run (optionally) the search (or grep) before writing (see below).",
    "- [ ] write the tests\n- [x] read the code\n- [ ] run (again)\n",
    "| name | type |\n|---|---|\n| read | string |\n| {x} | [y] |\n",
    '```json\n{"name": "myapp", "version": "1.0.0", "scripts": {"test": "jest"}}\n```',
    '```\n{"name": "myapp", "dependencies": {}}\n```',
    "```python\ndef read(path):\n    return open(path).read()\n\nread('a.txt')\n```",
    "```bash\ngrep -rn 'TODO' src | head\n```",
    '```xml\n<config><tool name="read">x</tool></config>\n```',
    "Write `<tool_call>` to open a call and `[TOOL_CALLS]` with Mistral.",
    "> <tool_call>quoted</tool_call>\n\nThat is what the manual says.",
    '{"answer": 42, "unit": "km"}',
    '[{"id": 1, "title": "One"}, {"id": 2, "title": "Two"}]',
    '{"name": "Ada", "age": 36}',
    "In HTML, <search> and <code> are elements; <b>bold</b> is one too.",
    "Action: the plot thickens. Thought: none. Observation: rain.",
    "Dear team,\n\nplease find attached [the agenda]. We start at 9:00 {sharp}.\n\nBest,\nAda",
    "f(x) = x^2, so f(3) = 9 and [a, b] is an interval; {1, 2} is a set.",
    "call: me maybe; commentary to come.",
    "[00:12] Intro\n[01:30] Searching for a topic\n[04:05] Running late",
    "array[index] = map[key]; list[0][1]; \\[x + y\\]",
    "<p>Use <function> in Lisp? No, <lambda>.</p>",
)
