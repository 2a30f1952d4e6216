/** The editor of a pattern, with its trial beside it. */
import { Alert, NumberInput, Paper, Select, Stack, Switch, TextInput, Textarea } from "@mantine/core";
import { useNavigate } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import type { ToolPattern } from "../../api/queries";
import { EditForm } from "../../parts/EditForm";
import { useSave } from "../../parts/useSave";
import { Changing } from "../../signin/rights";
import { Advanced } from "./Advanced";
import { NameSource } from "./NameSource";
import { Trial } from "./Trial";
import { type Values, bodyOf, draftOf, valuesOf } from "./values";

const TYPES: { value: Values["pattern_type"]; label: string; help: string }[] = [
  { value: "fence", label: "Fence", help: "Calls in code fences: the arguments are the second group" },
  { value: "inline", label: "Inline", help: "JSON in the running text: the arguments are the second group" },
  { value: "xml", label: "Tags", help: "Calls in tags: the arguments are the last group, JSON or <parameter=…>" },
  { value: "bracket", label: "Brackets", help: "Calls in brackets: the arguments are the second group" },
  { value: "action", label: "Action", help: "Words in brackets like [reading file]: no arguments" },
];

const SHOWN = [
  "pattern_name", "pattern_type", "regex_pattern", "tool_name", "tool_name_group", "tool_name_json_path",
  "arguments_group", "tool_name_mapping", "parameter_mapping", "priority", "max_window", "models", "endpoints", "notes",
];

export function PatternForm({ stored }: { stored: ToolPattern | undefined }) {
  const navigate = useNavigate();
  const saving = useSave<Values, ToolPattern, Schemas["SavedToolPattern"]>({
    stored,
    valuesOf,
    list: "tool-patterns",
    send: (values, version) => {
      const body = { ...bodyOf(values), version };
      return stored
        ? ask(api.PUT("/api/admin/tool-patterns/{id}", { params: { path: { id: String(stored.id) } }, body }))
        : ask(api.POST("/api/admin/tool-patterns", { body }));
    },
    told: (saved) => `${saved.pattern_name} is saved.`,
    onSaved: (saved) => {
      if (!stored) navigate(`/patterns/${saved.id}`, { replace: true });
    },
  });
  const { draft } = saving;
  const { values, set, error } = draft;

  return (
    <div className="halves">
      <EditForm
        saving={saving}
        shown={SHOWN}
        verb={stored ? "Save" : "Add pattern"}
        onCancel={() => navigate("/patterns")}
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
            <NameSource draft={draft} />
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
        <Advanced draft={draft} />
      </EditForm>
      <Changing>
        <Trial pattern={draftOf(values)} sample="" tools={["bash", "read", "write", "get_weather"]} />
      </Changing>
    </div>
  );
}
