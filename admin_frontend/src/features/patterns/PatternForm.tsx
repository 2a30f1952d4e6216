/** The editor of a pattern, with its trial beside it. */
import { Alert, NumberInput, Paper, Select, Stack, Switch, TagsInput, TextInput, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { type Refusal, type Schemas, api, ask, asRefusal } from "../../api/client";
import type { ToolPattern } from "../../api/queries";
import { type Amount, orNull } from "../../parts/amounts";
import { EditForm } from "../../parts/EditForm";
import { useTell } from "../../parts/Notices";
import { type Pair, Pairs } from "../../parts/Pairs";
import { useDraft } from "../../parts/useDraft";
import { Trial } from "./Trial";

type PatternType = Schemas["DraftToolPattern"]["pattern_type"];
type Source = "static" | "group" | "json" | "auto";

interface Values {
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

const TYPES: { value: NonNullable<PatternType>; label: string; help: string }[] = [
  { value: "fence", label: "Fence", help: "Calls in code fences: the arguments are the second group" },
  { value: "inline", label: "Inline", help: "JSON in the running text: the arguments are the second group" },
  { value: "xml", label: "Tags", help: "Calls in tags: the arguments are the last group, JSON or <parameter=…>" },
  { value: "bracket", label: "Brackets", help: "Calls in brackets: the arguments are the second group" },
  { value: "action", label: "Action", help: "Words in brackets like [reading file]: no arguments" },
];

const SOURCES: { value: Source; label: string }[] = [
  { value: "static", label: "Always the same name" },
  { value: "group", label: "A group of the expression" },
  { value: "json", label: "A path in the JSON" },
  { value: "auto", label: "Found by itself" },
];

const SHOWN = [
  "pattern_name", "pattern_type", "regex_pattern", "tool_name", "tool_name_group", "tool_name_json_path",
  "arguments_group", "tool_name_mapping", "parameter_mapping", "priority", "max_window", "models", "endpoints", "notes",
];

export function PatternForm({ stored }: { stored: ToolPattern | undefined }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const tell = useTell();
  const draft = useDraft<Values>(valuesOf(stored));
  const { values, set, error } = draft;
  const [advanced] = useState(() => hasAdvanced(values));

  const save = useMutation<Schemas["SavedToolPattern"], Refusal, number | undefined>({
    mutationFn: async (version) => {
      const body = bodyOf(values);
      try {
        return stored
          ? await ask(
              api.PUT("/api/admin/tool-patterns/{id}", {
                params: { path: { id: String(stored.id) } },
                body: { ...body, version },
              }),
            )
          : await ask(api.POST("/api/admin/tool-patterns", { body }));
      } catch (failure) {
        throw asRefusal(failure);
      }
    },
    onMutate: () => draft.blame(undefined),
    onError: draft.blame,
    onSuccess: async (saved) => {
      draft.reset(valuesOf(saved));
      queries.setQueryData(["tool-patterns", String(saved.id)], saved);
      await queries.invalidateQueries({ queryKey: ["tool-patterns"], exact: true });
      tell.done(`${saved.pattern_name} is saved.`);
      if (!stored) navigate(`/patterns/${saved.id}`, { replace: true });
    },
  });
  const current = save.error?.body.current as ToolPattern | undefined;

  return (
    <div className="halves">
      <EditForm
        draft={draft}
        refusal={save.error}
        shown={SHOWN}
        busy={save.isPending}
        verb={stored ? "Save" : "Add pattern"}
        onSave={() => save.mutate(stored?.version)}
        onCancel={() => navigate("/patterns")}
        takeTheirs={() => {
          save.reset();
          if (current) {
            draft.reset(valuesOf(current));
            queries.setQueryData(["tool-patterns", String(current.id)], current);
          }
        }}
        overwrite={() => save.mutate(current?.version)}
      >
        {stored?.warnings.map((each) => (
          <Alert key={each} color="yellow">
            {each}
          </Alert>
        ))}
        <Paper withBorder p="lg">
          <Stack>
            <TextInput
              label="Name"
              required
              value={values.pattern_name}
              onChange={(event) => set("pattern_name", event.currentTarget.value)}
              error={error("pattern_name")}
              spellCheck={false}
            />
            <Select
              label="Type"
              allowDeselect={false}
              description={TYPES.find((each) => each.value === values.pattern_type)?.help}
              data={TYPES.map(({ value, label }) => ({ value, label }))}
              value={values.pattern_type}
              onChange={(value) => value && set("pattern_type", value as Values["pattern_type"])}
              error={error("pattern_type")}
            />
            <Textarea
              label="Regular expression"
              required
              description="RE2: no look-around and no back-references, so that no text can make it slow. A dot matches newlines too."
              autosize
              minRows={2}
              maxRows={8}
              value={values.regex_pattern}
              onChange={(event) => set("regex_pattern", event.currentTarget.value)}
              error={error("regex_pattern")}
              styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
              spellCheck={false}
            />
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
            <NumberInput
              label="Priority"
              description="0 to 999; higher is tried first"
              min={0}
              max={999}
              allowDecimal={false}
              value={values.priority}
              onChange={(value) => set("priority", value)}
              error={error("priority")}
            />
            <Switch
              label="Enabled"
              checked={values.enabled}
              onChange={(event) => set("enabled", event.currentTarget.checked)}
            />
          </Stack>
        </Paper>
        <details className="more" open={advanced}>
          <summary>Mappings, scope and notes</summary>
          <Stack>
            <Pairs
              label="Tool names"
              help="The model's name on the left, the request's on the right"
              from="model's"
              to="request's"
              pairs={values.tool_names}
              change={(pairs) => set("tool_names", pairs)}
              error={error("tool_name_mapping")}
            />
            <Pairs
              label="Parameters"
              help="The model's parameter on the left, the tool's on the right"
              from="model's"
              to="tool's"
              pairs={values.parameters}
              change={(pairs) => set("parameters", pairs)}
              error={error("parameter_mapping")}
            />
            <TagsInput
              label="Virtual models"
              description="Names, * for anything; none means all"
              value={values.models}
              onChange={(models) => set("models", models)}
              error={error("models")}
            />
            <TagsInput
              label="Endpoints"
              description="Names, * for anything; none means all"
              value={values.endpoints}
              onChange={(endpoints) => set("endpoints", endpoints)}
              error={error("endpoints")}
            />
            <div className="two">
              <NumberInput
                label="Group of the arguments"
                description="In place of the type's"
                min={1}
                max={99}
                allowDecimal={false}
                value={values.arguments_group}
                onChange={(value) => set("arguments_group", value)}
                error={error("arguments_group")}
              />
              <NumberInput
                label="Longest call in characters"
                description="How much text is held back at most while a call may be coming"
                min={1}
                allowDecimal={false}
                value={values.max_window}
                onChange={(value) => set("max_window", value)}
                error={error("max_window")}
              />
            </div>
            <Textarea
              label="Notes"
              autosize
              minRows={2}
              value={values.notes}
              onChange={(event) => set("notes", event.currentTarget.value)}
              error={error("notes")}
            />
          </Stack>
        </details>
      </EditForm>
      <Trial pattern={draftOf(values)} sample="" tools={["bash", "read", "write", "get_weather"]} />
    </div>
  );
}

function valuesOf(stored: ToolPattern | undefined): Values {
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
function bodyOf(values: Values): Schemas["NewToolPattern"] {
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

function draftOf(values: Values): Schemas["DraftToolPattern"] {
  const { pattern_name: name, ...others } = bodyOf(values);
  return name.trim() ? { pattern_name: name, ...others } : others;
}

function hasAdvanced(values: Values): boolean {
  const { tool_names, parameters, models, endpoints, arguments_group, max_window, notes } = values;
  return (
    [tool_names, parameters, models, endpoints].some((each) => each.length > 0) ||
    [arguments_group, max_window, notes].some((each) => each !== "")
  );
}
