/** The form of an endpoint; what it asks depends on the type. */
import { Checkbox, NumberInput, Paper, PasswordInput, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useNavigate } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import type { Endpoint } from "../../api/queries";
import { type Amount, orNull } from "../../parts/amounts";
import { EditForm } from "../../parts/EditForm";
import { useSave } from "../../parts/useSave";
import { Changing } from "../../signin/rights";
import { ConnectionTest } from "./ConnectionTest";
import { OptionFields } from "./OptionFields";
import { ENDPOINT_TYPES, typeOf } from "./types";

interface Values {
  name: string;
  endpoint_type: string;
  url: string;
  api_key: string;
  clear_api_key: boolean;
  priority: Amount;
  enabled: boolean;
  options: Record<string, unknown>;
}

const SHOWN = ["name", "endpoint_type", "url", "api_key", "priority", "options"];

export function EndpointForm({ stored }: { stored: Endpoint | undefined }) {
  const navigate = useNavigate();
  const saving = useSave<Values, Endpoint, Schemas["SavedEndpoint"]>({
    stored,
    valuesOf,
    list: "endpoints",
    send: (values, version) => {
      const body = bodyOf(values, stored);
      return stored
        ? ask(api.PUT("/api/admin/endpoints/{id}", { params: { path: { id: stored.id } }, body: { ...body, version } }))
        : ask(api.POST("/api/admin/endpoints", { body: { ...body, name: values.name } }));
    },
    told: (saved) => `${saved.name} is saved.`,
    onSaved: (saved) => {
      if (!stored) navigate(`/endpoints/${saved.id}`, { replace: true, state: { made: true } });
    },
  });
  const { draft } = saving;
  const { values, set, error } = draft;
  const type = typeOf(values.endpoint_type);

  return (
    <EditForm
      saving={saving}
      shown={SHOWN}
      verb={stored ? "Save" : "Add endpoint"}
      onCancel={() => navigate("/endpoints")}
    >
      <Paper withBorder p="lg">
        <Stack>
          <div className="two">
            <TextInput
              label="Name"
              required
              description="How you and the activity call it"
              value={values.name}
              onChange={(event) => set("name", event.currentTarget.value)}
              error={error("name")}
              autoFocus={!stored}
            />
            <Select
              label="Type"
              required
              allowDeselect={false}
              description={type?.help}
              data={ENDPOINT_TYPES.map(({ value, label }) => ({ value, label }))}
              value={values.endpoint_type}
              onChange={(value) => value && set("endpoint_type", value)}
              error={error("endpoint_type")}
            />
          </div>
          <TextInput
            label="URL"
            required={type?.url.required}
            description={type?.url.help}
            placeholder={type?.url.placeholder}
            value={values.url}
            onChange={(event) => set("url", event.currentTarget.value)}
            error={error("url")}
            inputMode="url"
            spellCheck={false}
          />
          <PasswordInput
            label="API key"
            description={keyHelp(stored, type?.key ?? "")}
            placeholder={stored?.has_api_key ? "Leave it empty to keep the stored key" : undefined}
            value={values.api_key}
            onChange={(event) => set("api_key", event.currentTarget.value)}
            error={error("api_key")}
            aria-invalid={error("api_key") !== undefined}
            disabled={values.clear_api_key}
            autoComplete="off"
            visibilityToggleButtonProps={{ "aria-label": "Show or hide the key" }}
          />
          {stored?.has_api_key && (
            <Checkbox
              label="Remove the stored key"
              checked={values.clear_api_key}
              onChange={(event) => set("clear_api_key", event.currentTarget.checked)}
            />
          )}
          <div className="two">
            <NumberInput
              label="Priority"
              description="Among a virtual model's targets, higher goes first"
              min={0}
              allowDecimal={false}
              value={values.priority}
              onChange={(value) => set("priority", value)}
              error={error("priority")}
            />
            <Switch
              mt={30}
              label="Enabled"
              description="A disabled endpoint is never asked"
              checked={values.enabled}
              onChange={(event) => set("enabled", event.currentTarget.checked)}
            />
          </div>
        </Stack>
      </Paper>
      {type && type.options.length > 0 && (
        <details className="more" key={type.value} open={type.options.some((each) => each.name in values.options)}>
          <summary>Options of {type.label}</summary>
          <OptionFields
            options={type.options}
            values={values.options}
            change={(options) => set("options", options)}
            error={(name) => error(`options.${name}`)}
          />
        </details>
      )}
      {stored && (
        <Changing>
          <ConnectionTest
            id={stored.id}
            name={stored.name}
            unsaved={draft.dirty ? bodyOf(values, stored) : undefined}
          />
        </Changing>
      )}
    </EditForm>
  );
}

function valuesOf(stored: Endpoint | undefined): Values {
  return {
    name: stored?.name ?? "",
    endpoint_type: stored?.endpoint_type ?? "openai",
    url: stored?.url ?? "",
    api_key: "",
    clear_api_key: false,
    priority: stored?.priority ?? 0,
    enabled: stored?.enabled ?? true,
    options: stored?.options ?? {},
  };
}

/** Options that the chosen type does not have are left behind: somebody may have looked at another type first. */
function bodyOf(values: Values, stored: Endpoint | undefined): Schemas["EndpointChange"] {
  const known = typeOf(values.endpoint_type)?.options.map((each) => each.name) ?? [];
  const kept = (name: string) =>
    known.includes(name) || (stored?.endpoint_type === values.endpoint_type && name in stored.options);
  const numbers = typeOf(values.endpoint_type)?.options.filter((each) => each.kind === "number").map((each) => each.name);
  const typed = ([name, value]: [string, unknown]): [string, unknown] =>
    numbers?.includes(name) ? [name, orNull(value as Amount)] : [name, value];
  return {
    name: values.name,
    endpoint_type: values.endpoint_type,
    url: values.url.trim() || null,
    ...(values.api_key ? { api_key: values.api_key } : {}),
    ...(values.clear_api_key ? { clear_api_key: true } : {}),
    priority: orNull(values.priority) ?? 0,
    enabled: values.enabled,
    options: Object.fromEntries(Object.entries(values.options).filter(([name]) => kept(name)).map(typed)),
  };
}

function keyHelp(stored: Endpoint | undefined, help: string): string {
  if (!stored?.has_api_key) return help;
  return stored.api_key_hint ? `A key that ends with ${stored.api_key_hint} is stored.` : "A key is stored.";
}
