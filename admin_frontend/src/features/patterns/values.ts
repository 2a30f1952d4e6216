/** A pattern as its form holds it, and as the API takes it. */
import type { Schemas } from "../../api/client";
import type { ToolPattern } from "../../api/queries";
import { type Amount, orNull } from "../../parts/amounts";
import type { Pair } from "../../parts/Pairs";

type PatternType = Schemas["DraftToolPattern"]["pattern_type"];
/** Where the tool's name comes from. */
export type Source = "static" | "group" | "json" | "auto";

export interface Values {
  pattern_name: string;
  pattern_type: NonNullable<PatternType>;
  regex_pattern: string;
  source: Source;
  tool_name: string;
  tool_name_group: Amount;
  tool_name_json_path: string;
  arguments_group: Amount;
  tool_names: Pair[];
  parameters: Pair[];
  priority: Amount;
  max_window: Amount;
  models: string[];
  endpoints: string[];
  notes: string;
  enabled: boolean;
}

export function valuesOf(stored: ToolPattern | undefined): Values {
  const source: Source = !stored
    ? "group"
    : stored.tool_name
      ? "static"
      : stored.tool_name_group
        ? "group"
        : stored.tool_name_json_path
          ? "json"
          : "auto";
  return {
    pattern_name: stored?.pattern_name ?? "",
    pattern_type: stored && stored.pattern_type !== "builtin" ? stored.pattern_type : "xml",
    regex_pattern: stored?.regex_pattern ?? "",
    source,
    tool_name: stored?.tool_name ?? "",
    tool_name_group: stored ? (stored.tool_name_group ?? "") : 1,
    tool_name_json_path: stored?.tool_name_json_path ?? "",
    arguments_group: stored?.arguments_group ?? "",
    tool_names: Object.entries(stored?.tool_name_mapping ?? {}),
    parameters: Object.entries(stored?.parameter_mapping ?? {}),
    priority: stored?.priority ?? 50,
    max_window: stored?.max_window ?? "",
    models: stored?.models ?? [],
    endpoints: stored?.endpoints ?? [],
    notes: stored?.notes ?? "",
    enabled: stored?.enabled ?? true,
  };
}

const textOrNull = (text: string): string | null => (text === "" ? null : text);
const mapped = (pairs: Pair[]) => Object.fromEntries(pairs.filter(([from]) => from.trim() !== ""));

/** Only the chosen source of the name is sent; what was written for another stays in the form. */
export function bodyOf(values: Values): Schemas["NewToolPattern"] {
  const { source } = values;
  return {
    pattern_name: values.pattern_name,
    pattern_type: values.pattern_type,
    regex_pattern: values.regex_pattern,
    tool_name: source === "static" ? textOrNull(values.tool_name) : null,
    tool_name_group: source === "group" ? orNull(values.tool_name_group) : null,
    tool_name_json_path: source === "json" ? textOrNull(values.tool_name_json_path) : null,
    arguments_group: orNull(values.arguments_group),
    tool_name_mapping: mapped(values.tool_names),
    parameter_mapping: mapped(values.parameters),
    priority: orNull(values.priority) ?? 50,
    max_window: orNull(values.max_window),
    models: values.models,
    endpoints: values.endpoints,
    notes: textOrNull(values.notes),
    enabled: values.enabled,
  };
}

/** For a trial before it has a name. */
export function draftOf(values: Values): Schemas["DraftToolPattern"] {
  const { pattern_name: name, ...others } = bodyOf(values);
  return name.trim() ? { pattern_name: name, ...others } : others;
}

export function hasAdvanced(values: Values): boolean {
  const { tool_names, parameters, models, endpoints, arguments_group, max_window, notes } = values;
  return (
    [tool_names, parameters, models, endpoints].some((each) => each.length > 0) ||
    [arguments_group, max_window, notes].some((each) => each !== "")
  );
}
