"""`.env.example` names every variable, and its values are the defaults."""

import dataclasses
from pathlib import Path

from shared.settings import Settings, read_settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"


def _variables() -> dict[str, str]:
    lines = (line.strip().removeprefix("# ") for line in EXAMPLE.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and line.split("=")[0].isupper())
    return {name: value for name, _, value in pairs}


def test_every_setting_is_listed() -> None:
    listed = set(_variables())
    for setting in dataclasses.fields(Settings):
        assert setting.metadata["names"][0] in listed


def test_the_listed_values_are_the_defaults() -> None:
    assert read_settings(_variables()) == Settings()
