/** One row for each setting, with its meaning beside it and a way back to what the deployment says. */
import { Badge, Button, Group, NumberInput, Paper, Select, Stack, Switch, Text, TextInput, Title } from "@mantine/core";
import { type Schemas, api, ask } from "../../api/client";
import { orNull } from "../../parts/amounts";
import { EditForm } from "../../parts/EditForm";
import { useSave } from "../../parts/useSave";

type SettingsPage = Schemas["SettingsPage"];
type Row = Schemas["SettingRow"];
/** null: what the deployment says. */
type Values = Record<string, unknown>;

const LABELS: Record<string, string> = {
  use_ai_queue: "Send everything through the queue",
  ai_queue_url: "Queue's URL",
  ai_queue_priority: "Queue's priority",
  ai_queue_source: "Queue's source",
  budget_output_tokens: "Longest answer of keys with a budget",
  display_timezone: "Time zone",
};
const CHOICES: Record<string, readonly string[]> = { ai_queue_priority: ["HIGH", "NORMAL", "LOW"] };

export function SettingsForm({ page }: { page: SettingsPage }) {
  const saving = useSave<Values, SettingsPage, SettingsPage>({
    stored: page,
    valuesOf: (stored) => valuesOf(stored ?? page),
    list: "settings",
    send: (values, version) => {
      const before = valuesOf(page);
      const changed = Object.fromEntries(
        page.settings
          .filter(({ name }) => values[name] !== before[name])
          .map((row) => [row.name, isNumber(row) ? orNull(values[row.name] as string) : values[row.name]]),
      );
      return ask(api.PUT("/api/admin/settings", { body: { ...changed, version: version ?? page.version } }));
    },
    told: () => "The settings are saved.",
  });
  const { draft } = saving;
  return (
    <EditForm
      saving={saving}
      shown={page.settings.map((each) => each.name)}
      verb="Save"
      onCancel={() => draft.reset(valuesOf(page))}
    >
      <Paper withBorder p="lg">
        <Title order={2} size="h4">
          Settings of the gateway
        </Title>
        {page.settings.map((row) => (
          <div className="setting" key={row.name}>
            <Stack gap={4}>
              <Group gap="xs">
                <Text fw={600} size="sm" id={`label-${row.name}`}>
                  {LABELS[row.name] ?? row.name}
                </Text>
                <Badge variant="default" size="sm" tt="none" fw={500}>
                  {draft.values[row.name] === null ? "from the deployment" : "set here"}
                </Badge>
              </Group>
              <Text size="sm" c="dimmed" className="meaning" id={`meaning-${row.name}`}>
                {row.meaning}
              </Text>
            </Stack>
            <Stack gap={4} align="stretch">
              <Field
                row={row}
                zones={page.common_timezones}
                value={draft.values[row.name]}
                onChange={(value) => draft.set(row.name, value)}
                error={draft.error(row.name)}
              />
              {draft.values[row.name] !== null && (
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() => draft.set(row.name, null)}
                  aria-label={`Leave ${LABELS[row.name] ?? row.name} to the deployment`}
                >
                  Leave it to the deployment ({shown(row.default)})
                </Button>
              )}
            </Stack>
          </div>
        ))}
      </Paper>
    </EditForm>
  );
}

interface FieldProps {
  row: Row;
  zones: readonly string[];
  value: unknown;
  onChange: (value: unknown) => void;
  error: string | undefined;
}

function Field({ row, zones, value, onChange, error }: FieldProps) {
  const named = { "aria-labelledby": `label-${row.name}`, "aria-describedby": `meaning-${row.name}`, error };
  const held = value ?? row.default;
  if (typeof row.default === "boolean") {
    return (
      <Switch {...named} checked={held === true} onChange={(event) => onChange(event.currentTarget.checked)} />
    );
  }
  const choices = row.name === "display_timezone" ? zones : CHOICES[row.name];
  if (choices) {
    return (
      <Select
        {...named}
        data={[...choices]}
        searchable={choices.length > 10}
        limit={100}
        placeholder={row.name === "display_timezone" ? "The browser's" : undefined}
        value={typeof held === "string" ? held : null}
        onChange={onChange}
      />
    );
  }
  if (isNumber(row)) {
    return <NumberInput {...named} allowDecimal={false} min={1} value={held as number | string} onChange={onChange} />;
  }
  return (
    <TextInput
      {...named}
      value={typeof held === "string" ? held : ""}
      onChange={(event) => onChange(event.currentTarget.value || null)}
      spellCheck={false}
    />
  );
}

const isNumber = (row: Row): boolean => typeof row.default === "number";
const shown = (value: unknown): string =>
  value === null || value === undefined ? "not set" : value === true ? "yes" : value === false ? "no" : String(value);

function valuesOf(page: SettingsPage): Values {
  return Object.fromEntries(page.settings.map((row) => [row.name, row.source === "dashboard" ? row.value : null]));
}
