/** One pattern beside its trial: new, stored, or a built-in format that can only be switched. */
import { Alert, Button, Code, Group, Paper, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, ask } from "../../api/client";
import { type ToolPattern, oneOf } from "../../api/queries";
import { Awaited } from "../../parts/Awaited";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Toggle } from "../../parts/Toggle";
import { Changing, LookOnly } from "../../signin/rights";
import { DeletePattern } from "./DeletePattern";
import { PatternForm } from "./PatternForm";
import { Trial } from "./Trial";

const BACK = { to: "/patterns", label: "Patterns" };

export function PatternPage() {
  const { id = "" } = useParams();
  return id === "new" ? (
    <Page title="New pattern" back={BACK} lead="Try it on what your model wrote before you save it.">
      <Changing instead={<LookOnly />}>
        <PatternForm stored={undefined} />
      </Changing>
    </Page>
  ) : (
    <Stored key={id} id={id} />
  );
}

function Stored({ id }: { id: string }) {
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState(false);
  const pattern = useQuery(
    oneOf("tool-patterns", id, ({ signal }) =>
      ask(api.GET("/api/admin/tool-patterns/{id}", { params: { path: { id } }, signal })),
    ),
  );
  return (
    <Awaited query={pattern} title="Pattern" back={BACK}>
      {(row) =>
        row.engine === "builtin" ? (
          <BuiltIn pattern={row} reread={() => void pattern.refetch()} />
        ) : (
          <Page
            title={row.pattern_name}
            back={BACK}
            actions={
              <Changing>
                <Button variant="default" leftSection={<Icon name="trash" size={16} />} onClick={() => setDoomed(true)}>
                  Delete
                </Button>
              </Changing>
            }
          >
            <PatternForm stored={row} />
            {doomed && (
              <DeletePattern pattern={row} onClose={() => setDoomed(false)} onDone={() => navigate("/patterns")} />
            )}
          </Page>
        )
      }
    </Awaited>
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
              <Text size="sm">Enabled</Text>
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
        <Changing>
          <Trial id={id} sample={example ?? ""} tools={["T"]} />
        </Changing>
      </div>
    </Page>
  );
}
