"""Tool patterns and the switches of built-in formats in the `config` table."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from shared.store.config_records import FormatSwitches, ToolPatternRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict, DuplicateName, NotFound
from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS
from shared.tool_calls.patterns import Pattern, PatternSet


def a_pattern(**overrides: Any) -> ToolPatternRecord:
    record = ToolPatternRecord(pattern_name="execute", pattern_type="bracket", regex_pattern=r"\[EXECUTE:(\w+)\]")
    return replace(record, **overrides)


def test_a_pattern_reads_back_as_it_was_written(store: ConfigStore) -> None:
    written = store.create_tool_pattern(
        a_pattern(
            tool_name="bash",
            tool_name_group=1,
            tool_name_json_path="a.b",
            tool_name_mapping={"x": "y"},
            parameter_mapping={"1": "command", "ü": "ö"},
            enabled=False,
            priority=0,
            arguments_group=2,
            max_window=512,
            models=("fast*",),
            endpoints=("a", "b"),
            notes="n",
        )
    )
    assert (written.id, written.version, written.created_at, written.updated_at) == (1, 1, 1_700_000_000, 1_700_000_000)
    assert store.get_tool_pattern(1) == written
    assert store.list_tool_patterns() == ([written], FormatSwitches())
    plain = store.create_tool_pattern(a_pattern(pattern_name="plain"))
    assert store.get_tool_pattern(plain.id) == plain


def test_names_are_unique_and_a_change_needs_the_last_version(store: ConfigStore) -> None:
    first = store.create_tool_pattern(a_pattern())
    with pytest.raises(DuplicateName, match="another tool pattern is named 'execute'"):
        store.create_tool_pattern(a_pattern())
    other = store.create_tool_pattern(a_pattern(pattern_name="other"))
    with pytest.raises(DuplicateName):
        store.update_tool_pattern(other.id, {"pattern_name": "execute"})
    changed = store.update_tool_pattern(first.id, {"pattern_name": "renamed"}, expected=1)
    assert (changed.version, store.get_tool_pattern(first.id)) == (2, changed)
    with pytest.raises(Conflict) as conflict:
        store.update_tool_pattern(first.id, {"priority": 1}, expected=1)
    assert conflict.value.current == changed
    assert store.update_tool_pattern(other.id, {"pattern_name": "execute"}).version == 2  # the name became free
    with pytest.raises(Conflict):
        store.delete_tool_pattern(first.id, expected=1)
    store.delete_tool_pattern(first.id, expected=2)
    with pytest.raises(NotFound, match="no tool pattern with id 1"):
        store.delete_tool_pattern(first.id)


def test_the_catalog_has_the_enabled_patterns_by_priority_as_the_engine_reads_them(store: ConfigStore) -> None:
    for name, fields in {"low": {"priority": 1}, "off": {"enabled": False}, "high": {"priority": 90}}.items():
        store.create_tool_pattern(a_pattern(pattern_name=name, models=("m*",), **fields))
    version = store.read_version()
    catalog = store.load_catalog()
    assert (version, catalog.version) == (3, 3)
    assert [each.pattern_name for each in catalog.tool_patterns] == ["high", "low"]
    assert catalog.tool_patterns[0] == Pattern("high", "bracket", r"\[EXECUTE:(\w+)\]", priority=90, models=("m*",))


def test_formats_are_switched_each_for_itself(store: ConfigStore) -> None:
    assert store.get_formats() == FormatSwitches()
    store.switch_format("hermes", False)
    store.switch_format("python_line", True)
    assert store.switch_format("hermes", False).version == 2  # already so: not written
    catalog = store.load_catalog()
    assert (set(catalog.formats_on), set(catalog.formats_off), catalog.version) == ({"python_line"}, {"hermes"}, 2)
    store.switch_format("hermes", True)
    switches = store.get_formats()
    assert (set(switches.on), set(switches.off), switches.version) == ({"hermes", "python_line"}, set(), 3)


def test_the_defaults_are_planted_once_and_an_edit_or_deletion_stays(store: ConfigStore) -> None:
    store.plant_seeds()
    planted, _ = store.list_tool_patterns()
    assert [each.pattern_name for each in planted] == [row["pattern_name"] for row in DEFAULT_PATTERNS]
    assert [each.id for each in planted] == list(range(1, 11))
    by_name = {each.pattern_name: each for each in planted}
    assert [each.pattern_name for each in planted if not each.enabled] == ["action"]
    assert "Markdown links" in (by_name["action"].notes or "")
    assert not PatternSet(each.pattern() for each in planted).broken
    store.update_tool_pattern(by_name["fence_json"].id, {"regex_pattern": "```mine(.*?)```"})
    store.delete_tool_pattern(by_name["tool_use"].id)
    version = store.read_version()
    store.plant_seeds()
    assert store.read_version() == version
    kept = {each.pattern_name: each for each in store.list_tool_patterns()[0]}
    assert (len(kept), kept["fence_json"].regex_pattern) == (9, "```mine(.*?)```")


def test_tables_older_than_the_patterns_get_them_beside_an_administrators_own(store: ConfigStore) -> None:
    assert store.plant_seeds()
    config = store._tables.config
    for item in list(config.scan()):
        if "tool_pattern" in item.key:
            item.delete()
    mine = store.create_tool_pattern(a_pattern(pattern_name="tool_code", enabled=False))
    assert not store.plant_seeds()  # the demo was there
    patterns = {each.pattern_name: each for each in store.list_tool_patterns()[0]}
    assert len(patterns) == 10
    assert patterns["tool_code"] == mine


def test_a_catalog_without_patterns_costs_no_import_of_the_engine() -> None:
    loads = """
import sys
from moto import mock_aws
from shared.store.config_store import ConfigStore
from shared.store.config_records import ToolPatternRecord
from shared.store.tables import Tables
with mock_aws():
    tables = Tables("test", region="eu-central-1")
    tables.create_missing()
    store = ConfigStore(tables)
    record = store.create_tool_pattern(ToolPatternRecord("p", "xml", "<x>(.*?)</x>", enabled=False))
    store.load_catalog()
    assert not {"re2", "shared.tool_calls.patterns"} & set(sys.modules)
    store.update_tool_pattern(record.id, {"enabled": True})
    assert store.load_catalog().tool_patterns
    assert "re2" not in sys.modules
    assert "shared.tool_calls.patterns" in sys.modules
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", loads], check=True, timeout=60)
