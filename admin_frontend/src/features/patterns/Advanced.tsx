/** What most patterns do without: mappings of names, the models and endpoints it is for, its limits. */
import { NumberInput, Stack, TagsInput, Textarea } from "@mantine/core";
import { useState } from "react";
import { Pairs } from "../../parts/Pairs";
import type { Draft } from "../../parts/useDraft";
import { type Values, hasAdvanced } from "./values";

export function Advanced({ draft: { values, set, error } }: { draft: Draft<Values> }) {
  const [opened] = useState(() => hasAdvanced(values));
  return (
    <details className="more" open={opened}>
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
  );
}
