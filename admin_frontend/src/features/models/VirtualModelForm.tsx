/** The form of a virtual model. */
import { NumberInput, Paper, Select, Stack, Switch, TagsInput, TextInput, Textarea, Title } from "@mantine/core";
import { useState } from "react";
import { useNavigate } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import type { Endpoint, VirtualModel } from "../../api/queries";
import { EditForm } from "../../parts/EditForm";
import { useSave } from "../../parts/useSave";
import { Headers } from "./Headers";
import { Prices } from "./Prices";
import { Targets } from "./Targets";
import { PRICES, type Start, type Values, bodyOf, valuesOf } from "./values";

const SHOWN = [
  "name", "aliases", "description", "targets", "endpoint_id", "max_tokens", "temperature", "top_p", "system_prompt",
  "custom_headers", "reasoning", ...PRICES.map(([field]) => field),
];

const FOLDED = ["max_tokens", "temperature", "top_p", "system_prompt", "custom_headers"];

const REASONING = [
  { value: "field", label: "In a field of its own (reasoning_content)" },
  { value: "inline", label: "In the text, before the answer" },
  { value: "hidden", label: "Not at all" },
];

interface Props {
  stored: VirtualModel | undefined;
  endpoints: readonly Endpoint[];
  start?: Start;
}

export function VirtualModelForm({ stored, endpoints, start }: Props) {
  const navigate = useNavigate();
  const saving = useSave<Values, VirtualModel, Schemas["SavedVirtualModel"]>({
    stored,
    valuesOf: (model) => valuesOf(model, start),
    list: "virtual-models",
    send: (values, version) => {
      const body = { ...bodyOf(values), version };
      return stored
        ? ask(api.PUT("/api/admin/virtual-models/{id}", { params: { path: { id: stored.id } }, body }))
        : ask(api.POST("/api/admin/virtual-models", { body }));
    },
    told: (saved) => `${saved.name} is saved.`,
    onSaved: (saved) => {
      if (!stored) navigate(`/virtual-models/${saved.id}`, { replace: true });
    },
  });
  const { values, set, error } = saving.draft;
  const [unfolded] = useState(() => hasDefaults(values));
  const amount = (field: "max_tokens" | "temperature" | "top_p") => ({
    value: values[field],
    onChange: (value: string | number) => set(field, value),
    error: error(field),
    placeholder: "The backend's own",
    min: 0,
  });

  return (
    <EditForm
      saving={saving}
      shown={SHOWN}
      verb={stored ? "Save" : "Add virtual model"}
      onCancel={() => navigate("/virtual-models")}
    >
      <Paper withBorder p="lg">
        <Stack>
          <div className="two">
            <TextInput
              label="Name"
              required
              description="What clients send as model"
              value={values.name}
              onChange={(event) => set("name", event.currentTarget.value)}
              error={error("name")}
              autoFocus={!stored}
              spellCheck={false}
            />
            <TextInput
              label="Description"
              value={values.description}
              onChange={(event) => set("description", event.currentTarget.value)}
              error={error("description")}
            />
          </div>
          <TagsInput
            label="Aliases"
            description="Clients may send these as model too; usage counts under the name above. Enter adds one"
            maxTags={16}
            splitChars={[","]}
            value={values.aliases}
            onChange={(aliases) => set("aliases", aliases)}
            error={error("aliases") ?? values.aliases.map((_, index) => error(`aliases[${index}]`)).find(Boolean)}
          />
          <Switch
            label="Enabled"
            description="A disabled one is not found by clients"
            checked={values.enabled}
            onChange={(event) => set("enabled", event.currentTarget.checked)}
          />
        </Stack>
      </Paper>
      <Paper withBorder p="lg">
        <Stack>
          <Title order={2} size="h4">
            Targets
          </Title>
          <Targets
            targets={values.targets}
            endpoints={endpoints}
            change={(targets) => set("targets", targets)}
            error={error}
          />
        </Stack>
      </Paper>
      <Paper withBorder p="lg">
        <Stack>
          <Title order={2} size="h4">
            Prices per million tokens
          </Title>
          <Prices
            prices={values.prices}
            change={(prices) => set("prices", prices)}
            error={error}
            model={values.targets[0]?.actual_model ?? ""}
          />
        </Stack>
      </Paper>
      <Paper withBorder p="lg">
        <Stack>
          <Title order={2} size="h4">
            Reasoning
          </Title>
          <div className="two">
            <Select
              label="How thinking is shown"
              description="Where a model thinks in tags or in a field of its own"
              data={REASONING}
              value={values.reasoning || null}
              onChange={(value) => set("reasoning", (value ?? "") as Values["reasoning"])}
              clearable
              clearButtonProps={{ "aria-label": "Unset how thinking is shown" }}
              placeholder={values.show_reasoning ? "As usual: in a field" : "As usual: not at all"}
              error={error("reasoning")}
            />
            <Switch
              mt={30}
              label="The model begins in the middle of its thinking"
              description="For models that write only the closing tag"
              checked={values.starts_in_reasoning}
              onChange={(event) => set("starts_in_reasoning", event.currentTarget.checked)}
            />
          </div>
        </Stack>
      </Paper>
      <details className="more" open={unfolded || FOLDED.some((field) => error(field) !== undefined)}>
        <summary>Defaults, headers and streaming</summary>
        <Stack>
          <div className="two">
            <NumberInput label="Max tokens" description="For requests that name no limit" allowDecimal={false} {...amount("max_tokens")} />
            <NumberInput label="Temperature" description="0 to 2" step={0.1} max={2} {...amount("temperature")} />
            <NumberInput label="Top P" description="0 to 1" step={0.05} max={1} {...amount("top_p")} />
          </div>
          <Textarea
            label="System prompt"
            description="Put before what the client's messages say"
            autosize
            minRows={2}
            maxRows={12}
            value={values.system_prompt}
            onChange={(event) => set("system_prompt", event.currentTarget.value)}
            error={error("system_prompt")}
          />
          <Headers
            headers={values.headers}
            change={(headers) => set("headers", headers)}
            error={error("custom_headers")}
          />
          <Switch
            label="Ask the backend for whole answers"
            description="Clients still get a stream when they ask for one"
            checked={values.disable_streaming}
            onChange={(event) => set("disable_streaming", event.currentTarget.checked)}
          />
          <Switch
            label="Give clients whole answers"
            description="Even when they ask for a stream"
            checked={values.force_non_streaming}
            onChange={(event) => set("force_non_streaming", event.currentTarget.checked)}
          />
        </Stack>
      </details>
    </EditForm>
  );
}

function hasDefaults(values: Values): boolean {
  const { max_tokens, temperature, top_p, system_prompt, headers, disable_streaming, force_non_streaming } = values;
  return (
    [max_tokens, temperature, top_p, system_prompt].some((each) => each !== "") ||
    headers.length > 0 ||
    disable_streaming ||
    force_non_streaming
  );
}
