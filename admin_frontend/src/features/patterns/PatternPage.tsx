/** One pattern beside its trial: new, stored, or a built-in format that can only be switched. */
import { Alert, Button, Code, Group, Paper, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, ask } from "../../api/client";
import type { ToolPattern } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Failed, Loading } from "../../parts/States";
import { Toggle } from "../../parts/Toggle";
import { DeletePattern } from "./DeletePattern";
import { PatternForm } from "./PatternForm";
import { Trial } from "./Trial";

const BACK = { to: "/patterns", label: "Patterns" };

export function PatternPage() {
  const { id = "" } = useParams();
  return id === "new" ? (
    <Page title="New pattern" back={BACK} lead="Try it on what your model wrote before you save it.">
      <PatternForm stored={undefined} />
    </Page>
  ) : (
    <Stored key={id} id={id} />
  );
}

function Stored({ id }: { id: string }) {
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState(false);
  const pattern = useQuery({
    queryKey: ["tool-patterns", id],
    queryFn: ({ signal }) => ask(api.GET("/api/admin/tool-patterns/{id}", { params: { path: { id } }, signal })),
    staleTime: Number.POSITIVE_INFINITY, // a form is not changed under somebody's hands; saving finds conflicts
    gcTime: 0,
  });
  if (pattern.error) {
    return (
      <Page title="Pattern" back={BACK}>
        <Failed error={pattern.error} retry={() => void pattern.refetch()} />
      </Page>
    );
  }
  if (!pattern.data) {
    return (
      <Page title="Pattern" back={BACK}>
        <Loading />
      </Page>
    );
  }
  if (pattern.data.engine === "builtin") return <BuiltIn pattern={pattern.data} reread={() => void pattern.refetch()} />;
  return (
    <Page
      title={pattern.data.pattern_name}
      back={BACK}
      actions={
        <Button variant="default" leftSection={<Icon name="trash" size={16} />} onClick={() => setDoomed(true)}>
          Delete
        </Button>
      }
    >
      <PatternForm stored={pattern.data} />
      {doomed && (
        <DeletePattern
          pattern={pattern.data}
          onClose={() => setDoomed(false)}
          onDone={() => navigate("/patterns")}
        />
      )}
    </Page>
  );
}

function BuiltIn({ pattern, reread }: { pattern: ToolPattern; reread: () => void }) {
  const { id, pattern_name: name, notes, example, enabled } = pattern;
  return (
    <Page title={name} back={BACK} lead={notes}>
      <div className="halves">
        <Paper withBorder p="lg">
          <Stack>
            <Alert variant="default">
              A built-in format is tested with the gateway and cannot be edited. Where it does harm, switch it off, or
              write a pattern of your own beside it.
            </Alert>
            <Group gap="xs">
              <Toggle
                name={name}
                enabled={enabled}
                stale={["tool-patterns"]}
                change={async (wanted) => {
                  await ask(
                    api.PUT("/api/admin/tool-patterns/{id}", {
                      params: { path: { id: String(id) } },
                      body: { enabled: wanted },
                    }),
                  );
                  reread();
                }}
              />
              <Text size="sm">{enabled ? "Enabled" : "Disabled"}</Text>
            </Group>
            {example && (
              <div>
                <Text size="sm" fw={500}>
                  What it looks like
                </Text>
                <Code block tabIndex={0} mt={4} aria-label="Example">
                  {example}
                </Code>
              </div>
            )}
          </Stack>
        </Paper>
        <Trial id={id} sample={example ?? ""} tools={["T"]} />
      </div>
    </Page>
  );
}
