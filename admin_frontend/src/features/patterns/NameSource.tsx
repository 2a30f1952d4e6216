/** Where the tool's name comes from, and what that needs to be told. */
import { NumberInput, Select, TextInput } from "@mantine/core";
import type { Draft } from "../../parts/useDraft";
import type { Source, Values } from "./values";

const SOURCES: { value: Source; label: string }[] = [
  { value: "static", label: "Always the same name" },
  { value: "group", label: "A group of the expression" },
  { value: "json", label: "A path in the JSON" },
  { value: "auto", label: "Found by itself" },
];

export function NameSource({ draft: { values, set, error } }: { draft: Draft<Values> }) {
  return (
    <>
      <Select
        label="Where the tool's name comes from"
        allowDeselect={false}
        data={SOURCES}
        value={values.source}
        onChange={(value) => value && set("source", value as Source)}
      />
      {values.source === "static" && (
        <TextInput
          label="Tool name"
          value={values.tool_name}
          onChange={(event) => set("tool_name", event.currentTarget.value)}
          error={error("tool_name")}
          spellCheck={false}
        />
      )}
      {values.source === "group" && (
        <NumberInput
          label="Group of the tool's name"
          min={1}
          max={99}
          allowDecimal={false}
          value={values.tool_name_group}
          onChange={(value) => set("tool_name_group", value)}
          error={error("tool_name_group")}
        />
      )}
      {values.source === "json" && (
        <TextInput
          label="Path of the tool's name"
          description="As in name or function.name"
          value={values.tool_name_json_path}
          onChange={(event) => set("tool_name_json_path", event.currentTarget.value)}
          error={error("tool_name_json_path")}
          spellCheck={false}
        />
      )}
    </>
  );
}
