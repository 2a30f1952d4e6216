/** Tries a pattern on pasted output while it is written: what it reads is marked, and what it makes of it is shown. */
import { Alert, Badge, Code, Group, List, Loader, Paper, Stack, Switch, TagsInput, Text, Textarea, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Schemas, api, ask, asRefusal } from "../../api/client";
import { plural } from "../../parts/formats";
import { highlight } from "./highlight";

interface Props {
  /** A draft, or the id of one in the list. */
  pattern?: Schemas["DraftToolPattern"];
  id?: number | string;
  sample: string;
  tools: string[];
}

const PAUSE_MS = 350;

export function Trial({ pattern, id, sample: first, tools: declared }: Props) {
  const [sample, setSample] = useState(first);
  const [tools, setTools] = useState(declared);
  const [beside, setBeside] = useState(false);
  const builtin = typeof id === "string" && id.startsWith("builtin:");
  const body = {
    sample,
    tools: tools.map((name) => ({ name, parameters: {} })),
    with_formats: beside,
    ...(pattern ? { pattern } : { pattern_id: id }),
  };
  const [settled] = useDebouncedValue(JSON.stringify(body), PAUSE_MS);
  const ready = sample.trim() !== "" && tools.length > 0 && (pattern === undefined || Boolean(pattern.regex_pattern));
  const trial = useQuery({
    queryKey: ["trial", settled],
    enabled: ready,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      ask(api.POST("/api/admin/tool-patterns/test", { body: JSON.parse(settled) as Schemas["Sample"], signal })),
  });
  const refusal = trial.error ? asRefusal(trial.error) : undefined;
  const outcome = ready && !refusal ? trial.data : undefined;

  return (
    <Paper withBorder p="lg">
      <Stack>
        <Group justify="space-between">
          <Title order={2} size="h4">
            Try it
          </Title>
          {trial.isFetching && <Loader size="xs" aria-label="Trying" />}
        </Group>
        <Textarea
          label="What a model wrote"
          description="Paste an answer; nothing of it is stored"
          autosize
          minRows={4}
          maxRows={14}
          value={sample}
          onChange={(event) => setSample(event.currentTarget.value)}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
          spellCheck={false}
        />
        <TagsInput
          label="Tools of the request"
          description="A call counts only when its name is one of them; Enter adds one"
          value={tools}
          onChange={setTools}
          clearable={false}
        />
        {!builtin && (
          <Switch
            label="Beside the built-in formats"
            description="They are tried first, as in a real answer"
            checked={beside}
            onChange={(event) => setBeside(event.currentTarget.checked)}
          />
        )}
        <div aria-live="polite">
          {!ready && (
            <Text size="sm" c="dimmed">
              {pattern && !pattern.regex_pattern ? "Write an expression" : "Paste what a model wrote"} and see here what
              is found.
            </Text>
          )}
          {refusal && (
            <Alert color="red" title="It cannot be tried">
              {refusal.message}
            </Alert>
          )}
          {outcome && <Outcome sample={(JSON.parse(settled) as { sample: string }).sample} outcome={outcome} />}
        </div>
      </Stack>
    </Paper>
  );
}

function Outcome({ sample, outcome }: { sample: string; outcome: Schemas["Outcome"] }) {
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Badge variant="light" color={outcome.calls.length > 0 ? "teal" : "gray"} size="lg" tt="none">
          {outcome.calls.length > 0 ? plural(outcome.calls.length, "call") : "No call found"}
        </Badge>
        <Text size="xs" c="dimmed">
          in {outcome.milliseconds} ms
        </Text>
      </Group>
      <div>
        <Text size="sm" fw={500}>
          What was read as calls
        </Text>
        <pre className="sample" tabIndex={0} aria-label="The sample with what was read marked">
          {highlight(sample, outcome.matches).map((piece, index) =>
            piece.by ? (
              <mark key={index} data-by={piece.by.engine} title={piece.by.pattern}>
                {piece.text}
              </mark>
            ) : (
              piece.text
            ),
          )}
        </pre>
      </div>
      {outcome.calls.length > 0 && (
        <div>
          <Text size="sm" fw={500}>
            The calls
          </Text>
          {outcome.calls.map((call, index) => (
            <Code block key={index} tabIndex={0} mt={4}>
              {call.name}({pretty(call.arguments)})
            </Code>
          ))}
        </div>
      )}
      <div>
        <Text size="sm" fw={500}>
          The text that is left
        </Text>
        <pre className="sample" tabIndex={0} aria-label="The text that is left">
          {outcome.text || "(none)"}
        </pre>
      </div>
      {outcome.warnings.map((each) => (
        <Alert key={each} color="yellow">
          {each}
        </Alert>
      ))}
      {outcome.false_positives.length > 0 && (
        <Alert color="red" title="It would spoil harmless texts">
          <List size="sm">
            {outcome.false_positives.map((each) => (
              <List.Item key={each.text}>
                “{each.text}” becomes {each.calls.map((call) => call.name).join(", ")}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
    </Stack>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json; // a call is shown as it would be sent, whole JSON or not
  }
}
