"""Turn tool calls that a model wrote as text into proper calls, while the answer streams.

Read `machine.py` first: text flows through it until a marker begins a candidate; a reader then reads the candidate, and
either its calls go out or its text does, to the byte. `recover.py` is the step that the data path uses.
"""
