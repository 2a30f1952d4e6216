"""The data path. Read answer.py first."""
