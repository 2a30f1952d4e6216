/** Brings a configuration in from YAML, after its difference from what is stored was shown. */
import { Alert, Badge, Button, Checkbox, FileButton, Group, PasswordInput, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Schemas, api, ask, asRefusal } from "../../api/client";
import { Differences } from "../../parts/Differences";
import { useTell } from "../../parts/Notices";
import { plural } from "../../parts/formats";

type Result = Schemas["ImportResult"];

const NAMED_SECRET = /\{\s*env:\s*["']?([A-Za-z_]\w*)["']?\s*\}/g;

export function Import() {
  const queries = useQueryClient();
  const tell = useTell();
  const [text, setText] = useState("");
  const [prune, setPrune] = useState(false);
  const [secrets, setSecrets] = useState<Record<string, string>>({});
  const wanted = [...new Set([...text.matchAll(NAMED_SECRET)].map((found) => found[1] ?? ""))];
  const body = { document: text, secrets: Object.fromEntries(wanted.map((name) => [name, secrets[name] ?? ""])) };

  const take = useMutation<Result, Error, boolean>({
    mutationFn: (dry_run) =>
      ask(api.POST("/api/admin/config/import", { params: { query: { dry_run, prune } }, body })),
    onSuccess: async (result) => {
      if (result.dry_run) return;
      tell.done(`${plural(result.changes.length, "change")} imported.`);
      setText("");
      setSecrets({});
      await queries.invalidateQueries();
    },
  });
  const plan = take.data?.dry_run ? take.data : undefined;
  const refusal = take.error ? asRefusal(take.error) : undefined;
  const edit = <T,>(set: (value: T) => void) => (value: T) => {
    take.reset(); // a difference that was shown is not the one of another text
    set(value);
  };
  return (
    <>
      <Textarea
        label="YAML to import"
        autosize
        minRows={3}
        maxRows={16}
        value={text}
        onChange={(event) => edit(setText)(event.currentTarget.value)}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
        spellCheck={false}
      />
      {wanted.map((name) => (
        <PasswordInput
          key={name}
          label={`Secret ${name}`}
          value={secrets[name] ?? ""}
          onChange={(event) => {
            const value = event.currentTarget.value;
            edit(setSecrets)({ ...secrets, [name]: value });
          }}
          autoComplete="off"
          visibilityToggleButtonProps={{ "aria-label": `Show or hide ${name}` }}
        />
      ))}
      <Checkbox
        label="Delete what the file does not list"
        checked={prune}
        onChange={(event) => edit(setPrune)(event.currentTarget.checked)}
      />
      <Group>
        <FileButton
          accept=".yaml,.yml,application/yaml,text/yaml"
          onChange={(file) => {
            if (file) void file.text().then(edit(setText));
          }}
        >
          {(props) => (
            <Button variant="default" {...props}>
              Choose a file
            </Button>
          )}
        </FileButton>
        <Button disabled={!text.trim()} loading={take.isPending} onClick={() => take.mutate(true)}>
          Show the difference
        </Button>
      </Group>
      <div role="status">
        {refusal && (
          <Alert color="red" title="Not imported">
            {refusal.fields.length > 0 ? (
              <ul className="diff">
                {refusal.fields.map((each) => (
                  <li key={each.field}>
                    <span className="mono">{each.field}</span>: {each.message}
                  </li>
                ))}
              </ul>
            ) : (
              refusal.message
            )}
          </Alert>
        )}
        {plan && <Plan plan={plan} busy={take.isPending} bringIn={() => take.mutate(false)} />}
      </div>
    </>
  );
}

function Plan({ plan, busy, bringIn }: { plan: Result; busy: boolean; bringIn: () => void }) {
  return (
    <Stack gap="sm">
      <Text fw={600} size="sm">
        {plan.changes.length === 0
          ? "Nothing would change."
          : `An import would make ${plural(plan.changes.length, "change")}:`}
      </Text>
      {plan.changes.map((each) => (
        <div key={`${each.kind} ${each.name}`}>
          <Group gap={6}>
            <Badge
              variant="default"
              size="sm"
              tt="none"
              style={each.action === "delete" ? { borderColor: "var(--bad)" } : undefined}
            >
              {each.action}
            </Badge>
            <strong>{each.name}</strong>
            <Text component="span" size="sm" c="dimmed">
              {each.kind.replace("_", " ")}
            </Text>
          </Group>
          <Differences changes={each.changes} />
        </div>
      ))}
      {plan.changes.length > 0 && (
        <Group>
          <Button
            color={plan.changes.some((each) => each.action === "delete") ? "red" : undefined}
            loading={busy}
            onClick={bringIn}
          >
            Import {plural(plan.changes.length, "change")}
          </Button>
        </Group>
      )}
    </Stack>
  );
}
