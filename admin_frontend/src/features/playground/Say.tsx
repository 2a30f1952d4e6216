/** One turn of a conversation: words, thinking, calls of tools with a place for their results. */
import { Anchor, Badge, Button, Code, Group, Stack, Text, Textarea } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Link } from "react-router";
import { milliseconds, plural } from "../../parts/formats";
import type { Answer, Message, ToolCall } from "./stream";

const WHO: Record<Message["role"], string> = {
  system: "System",
  user: "You",
  assistant: "Model",
  tool: "Result of a tool",
};

interface Props {
  message: Message;
  answer?: Answer;
  growing?: boolean;
  /** Given for the last answer: what the tools it called returned. */
  giveResults?: (results: Message[]) => void;
}

export function Say({ message, answer, growing, giveResults }: Props) {
  const { role, content, reasoning, tool_calls: calls = [] } = message;
  return (
    <article className="say" data-role={role}>
      <Text size="xs" fw={600} c="dimmed" mb={2}>
        {WHO[role]}
      </Text>
      {reasoning && (
        <details open={growing && !content ? true : undefined}>
          <summary>Thinking</summary>
          <div className="thinking">{reasoning}</div>
        </details>
      )}
      {content && <div className="words">{content}</div>}
      {growing && !content && !reasoning && calls.length === 0 && <Text c="dimmed">…</Text>}
      {calls.map((call) => (
        <Code block key={call.id || call.function.name} mt={6} tabIndex={0} aria-label={`Call of ${call.function.name}`}>
          {call.function.name}({call.function.arguments})
        </Code>
      ))}
      {giveResults && calls.length > 0 && <Results calls={calls} give={giveResults} />}
      {answer && !growing && <Facts answer={answer} />}
    </article>
  );
}

function Results({ calls, give }: { calls: ToolCall[]; give: (results: Message[]) => void }) {
  const [texts, setTexts] = useState<Record<string, string>>({});
  const submit = (event: FormEvent) => {
    event.preventDefault();
    give(calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: texts[call.id] ?? "" })));
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="xs" mt="sm">
        {calls.map((call) => (
          <Textarea
            key={call.id}
            label={`What ${call.function.name} returns`}
            autosize
            minRows={1}
            value={texts[call.id] ?? ""}
            onChange={(event) => {
              const text = event.currentTarget.value;
              setTexts((before) => ({ ...before, [call.id]: text }));
            }}
          />
        ))}
        <Group>
          <Button size="xs" type="submit">
            Send the {calls.length === 1 ? "result" : "results"}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Facts({ answer }: { answer: Answer }) {
  const { endpoint, actualModel, usage, firstTokenMs, wholeMs, finish, requestId } = answer;
  return (
    <Group gap={6} mt="xs">
      {endpoint && (
        <Badge variant="default" size="sm" tt="none" fw={500}>
          {endpoint}
          {actualModel && ` › ${actualModel}`}
        </Badge>
      )}
      {finish && finish !== "stop" && (
        <Badge variant="default" size="sm" tt="none" fw={500}>
          ended: {finish}
        </Badge>
      )}
      <Text size="xs" c="dimmed">
        {[
          firstTokenMs !== undefined && `first word after ${milliseconds(firstTokenMs)}`,
          wholeMs !== undefined && `whole after ${milliseconds(wholeMs)}`,
          usage && `${plural(usage.prompt_tokens, "token")} in, ${usage.completion_tokens} out`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </Text>
      {requestId && (
        <Anchor component={Link} size="xs" to={`/activity/${requestId}?at=${Math.floor(Date.now() / 1_000)}`}>
          Its record
        </Anchor>
      )}
    </Group>
  );
}
