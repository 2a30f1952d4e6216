"""Environment variables: defaults, aliases, and one line for a bad value."""

from pathlib import Path

import pytest

from shared.settings import Settings, SettingsError, read_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_settings({}) == Settings()
    assert Settings().api_port == 8002
    assert Settings().admin_port == 5001
    assert Settings().host == "127.0.0.1"
    assert not Settings().use_ai_queue


def test_values_are_typed_and_empty_ones_count_as_absent() -> None:
    chosen = read_settings({"TIMEOUT": "2.5", "DATA_DIR": "some/folder", "USE_AI_QUEUE": "True", "API_PORT": " "})
    assert chosen.timeout_seconds == 2.5
    assert chosen.data_dir == Path("some/folder")
    assert chosen.use_ai_queue is True
    assert chosen.api_port == 8002


def test_the_originals_names_are_aliases_and_ours_win() -> None:
    assert read_settings({"FLASK_PORT": "6001"}).admin_port == 6001
    assert read_settings({"FLASK_PORT": "6001", "ADMIN_PORT": "6002"}).admin_port == 6002


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("API_PORT", "eighty", "a whole number from 0 to 65535, not 'eighty'"),
        ("ADMIN_PORT", "70000", "a whole number from 0 to 65535"),
        ("FLASK_PORT", "-1", "a whole number"),
        ("TIMEOUT", "0", "a number of seconds above 0"),
        ("TIMEOUT", "nan", "a number of seconds above 0"),
        ("USE_AI_QUEUE", "maybe", "true or false"),
        ("AI_QUEUE_URL", "queue:8102", "an http or https URL"),
        ("AI_QUEUE_PRIORITY", "urgent", "one of HIGH, NORMAL, LOW"),
        ("LOG_LEVEL", "loud", "one of DEBUG"),
        ("MAX_BODY_BYTES", "1", "a whole number from 1024"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as failure:
        read_settings({name: value})
    line = str(failure.value)
    assert line.startswith(f"{name} must be {words}")
    assert "\n" not in line


def test_secrets_are_not_shown() -> None:
    shown = repr(read_settings({"AI_QUEUE_API_KEY": "hush-hush", "RUNPOD_API_KEY": "hush-hush"}))
    assert "hush" not in shown
