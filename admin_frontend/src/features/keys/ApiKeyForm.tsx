/** The form of a client key: its label and its limits, none of which must be set. */
import { MultiSelect, NumberInput, Paper, Stack, Switch, TextInput, Textarea, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import { type ApiKey, virtualModelsQuery } from "../../api/queries";
import { type Amount, orNull } from "../../parts/amounts";
import { EditForm } from "../../parts/EditForm";
import { Moment } from "../../parts/Moment";
import { useSave } from "../../parts/useSave";

interface Values {
  label: string;
  notes: string;
  enabled: boolean;
  allowed_models: string[];
  expires_at: number | null;
  requests_per_minute: Amount;
  tokens_per_minute: Amount;
  parallel_requests: Amount;
  daily_budget: Amount;
  monthly_budget: Amount;
}

const SHOWN = [
  "label", "notes", "allowed_models", "expires_at", "requests_per_minute", "tokens_per_minute", "parallel_requests",
  "daily_budget", "monthly_budget",
];

interface Props {
  stored: ApiKey | undefined;
  onMade?: (made: Schemas["MadeApiKey"]) => void;
}

export function ApiKeyForm({ stored, onMade }: Props) {
  const navigate = useNavigate();
  const models = useQuery(virtualModelsQuery);
  const saving = useSave<Values, ApiKey, ApiKey | Schemas["MadeApiKey"]>({
    stored,
    valuesOf,
    list: "api-keys",
    send: (values) => {
      const { enabled, ...body } = bodyOf(values);
      return stored
        ? ask(api.PUT("/api/admin/api-keys/{id}", { params: { path: { id: stored.id } }, body: { ...body, enabled } }))
        : ask(api.POST("/api/admin/api-keys", { body }));
    },
    // the key itself is not kept with what is read again
    kept: (saved) => ("api_key" in saved ? undefined : saved),
    told: (saved) => ("api_key" in saved ? undefined : `${saved.label} is saved.`),
    onSaved: (saved) => {
      if ("api_key" in saved) onMade?.(saved);
    },
  });
  const { values, set, error } = saving.draft;
  const amount = (field: "requests_per_minute" | "tokens_per_minute" | "parallel_requests" | "daily_budget" | "monthly_budget") => ({
    value: values[field],
    onChange: (value: string | number) => set(field, value),
    error: error(field),
    placeholder: "No limit",
    min: 0,
  });
  const choices = [...new Set([...(models.data ?? []).map((each) => each.name), ...values.allowed_models])];
  return (
    <EditForm
      saving={saving}
      shown={SHOWN}
      verb={stored ? "Save" : "Make the key"}
      onCancel={() => navigate("/api-keys")}
    >
      <Paper withBorder p="lg">
        <Stack>
          <TextInput
            label="Label"
            required
            description="Whose key it is; the activity and the usage say it"
            value={values.label}
            onChange={(event) => set("label", event.currentTarget.value)}
            error={error("label")}
            autoFocus={!stored}
          />
          <Textarea
            label="Notes"
            autosize
            minRows={1}
            maxRows={6}
            value={values.notes}
            onChange={(event) => set("notes", event.currentTarget.value)}
            error={error("notes")}
          />
          {stored && (
            <Switch
              label="Enabled"
              description="A disabled key is refused until it is enabled again"
              checked={values.enabled}
              onChange={(event) => set("enabled", event.currentTarget.checked)}
            />
          )}
        </Stack>
      </Paper>
      <Paper withBorder p="lg">
        <Stack>
          <Title order={2} size="h4">
            Limits
          </Title>
          <div className="two">
            <MultiSelect
              label="Allowed virtual models"
              description="None chosen: all of them"
              searchable
              clearable
              clearButtonProps={{ "aria-label": "Allow all models" }}
              data={choices}
              value={values.allowed_models}
              onChange={(names) => set("allowed_models", names)}
              error={error("allowed_models")}
            />
            <Moment
              label="Expires"
              help="Empty: never"
              value={values.expires_at ?? undefined}
              onChange={(at) => set("expires_at", at ?? null)}
              error={error("expires_at")}
            />
          </div>
          <div className="two">
            <NumberInput label="Requests per minute" allowDecimal={false} {...amount("requests_per_minute")} />
            <NumberInput label="Tokens per minute" allowDecimal={false} {...amount("tokens_per_minute")} />
            <NumberInput label="Requests at once" allowDecimal={false} {...amount("parallel_requests")} />
            <NumberInput label="Budget per day" description="Dollars, for a day of UTC" prefix="$" {...amount("daily_budget")} />
            <NumberInput
              label="Budget per month"
              description="Dollars, for a month of UTC"
              prefix="$"
              {...amount("monthly_budget")}
            />
          </div>
        </Stack>
      </Paper>
    </EditForm>
  );
}

function valuesOf(stored: ApiKey | undefined): Values {
  return {
    label: stored?.label ?? "",
    notes: stored?.notes ?? "",
    enabled: stored?.enabled ?? true,
    allowed_models: stored?.allowed_models ?? [],
    expires_at: stored?.expires_at ?? null,
    requests_per_minute: stored?.requests_per_minute ?? "",
    tokens_per_minute: stored?.tokens_per_minute ?? "",
    parallel_requests: stored?.parallel_requests ?? "",
    daily_budget: stored?.daily_budget ?? "",
    monthly_budget: stored?.monthly_budget ?? "",
  };
}

function bodyOf(values: Values): Schemas["NewApiKey"] & { enabled: boolean } {
  return {
    label: values.label,
    notes: values.notes,
    enabled: values.enabled,
    allowed_models: values.allowed_models,
    expires_at: values.expires_at,
    requests_per_minute: orNull(values.requests_per_minute),
    tokens_per_minute: orNull(values.tokens_per_minute),
    parallel_requests: orNull(values.parallel_requests),
    daily_budget: orNull(values.daily_budget),
    monthly_budget: orNull(values.monthly_budget),
  };
}
