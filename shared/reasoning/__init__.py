"""Split what a model thinks from what it answers, and show the thinking as the virtual model wishes.

`split.py` finds reasoning that was written into the answer's text; `show.py` lets all reasoning through as a field,
puts it into the text, or hides it. Between the two, tool calls are recovered from text (`shared/tool_calls`).
"""
