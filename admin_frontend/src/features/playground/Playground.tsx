/** A conversation with any virtual model, as a client would have it. */
import { Alert, Anchor, Button, Group, NumberInput, Paper, PasswordInput, Select, Stack, Switch, Tabs, Text, Textarea } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { asRefusal } from "../../api/client";
import { virtualModelsQuery } from "../../api/queries";
import { clientUrl } from "../../deployment";
import { type Amount, orNull } from "../../parts/amounts";
import { CodeBlock } from "../../parts/Copy";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Empty, Failed, Loading } from "../../parts/States";
import { useAddressState } from "../../parts/useAddressState";
import { useSession } from "../../signin/session";
import { Say } from "./Say";
import { asCurl, asPython } from "./snippets";
import { type Answer, type Message, type Request, chat, wireMessages } from "./stream";

const DEFAULTS = { model: "" };
const KEY = "playground.key";
const EXAMPLE_TOOLS = JSON.stringify(
  [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather of a city",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    },
  ],
  null,
  2,
);

interface Turn {
  message: Message;
  answer?: Answer;
}

export function Playground() {
  const models = useQuery(virtualModelsQuery);
  return (
    <Page title="Playground" lead="Ask a virtual model just as a client would: the same route, the same limits, the same record.">
      {models.error ? (
        <Failed error={models.error} retry={() => void models.refetch()} />
      ) : !models.data ? (
        <Loading />
      ) : (
        <Talk names={models.data.filter((each) => each.enabled).map((each) => each.name)} />
      )}
    </Page>
  );
}

function Talk({ names }: { names: string[] }) {
  const { deployment } = useSession();
  const queries = useQueryClient();
  const [{ model: asked }, change] = useAddressState(DEFAULTS);
  const model = asked || names[0] || "";
  const [turns, setTurns] = useState<Turn[]>([]);
  const [growing, setGrowing] = useState<Answer>();
  const [question, setQuestion] = useState("");
  const [system, setSystem] = useState("");
  const [tools, setTools] = useState("");
  const [stream, setStream] = useState(true);
  const [temperature, setTemperature] = useState<Amount>("");
  const [limit, setLimit] = useState<Amount>("");
  const [key, setKey] = useState(() => sessionStorage.getItem(KEY) ?? "");
  const [failure, setFailure] = useState<unknown>();
  const running = useRef<AbortController>(undefined);

  useEffect(() => () => running.current?.abort(), []);

  const declared = parsed(tools);
  const requestOf = (messages: readonly Message[]): Request => ({
    model,
    messages: wireMessages([...(system.trim() ? [{ role: "system" as const, content: system }] : []), ...messages]),
    stream,
    ...(stream ? { stream_options: { include_usage: true } as const } : {}),
    ...(declared.tools ? { tools: declared.tools } : {}),
    ...(orNull(temperature) === null ? {} : { temperature: Number(temperature) }),
    ...(orNull(limit) === null ? {} : { max_tokens: Number(limit) }),
  });
  const said = turns.map((turn) => turn.message);
  const next: Message = { role: "user", content: question.trim() || "Hello" };
  const shown = requestOf(turns.at(-1)?.message.role === "tool" ? said : [...said, next]);

  const ask = async (asking: Turn[]) => {
    setFailure(undefined);
    setTurns(asking);
    const controller = new AbortController();
    running.current = controller;
    let latest: Answer = { message: { role: "assistant", content: "" } };
    setGrowing(latest);
    try {
      latest = await chat(requestOf(asking.map((turn) => turn.message)), key.trim(), controller.signal, (answer) => {
        latest = answer;
        setGrowing(answer);
      });
      setTurns([...asking, { message: latest.message, answer: latest }]);
    } catch (broken) {
      if (latest.message.content || latest.message.reasoning) {
        setTurns([...asking, { message: latest.message, answer: { ...latest, finish: "broken off" } }]);
      }
      if (!controller.signal.aborted) setFailure(broken);
    } finally {
      setGrowing(undefined);
      running.current = undefined;
      void queries.invalidateQueries({ queryKey: ["activity"] });
      void queries.invalidateQueries({ queryKey: ["usage"] });
    }
  };
  const send = () => {
    if (!question.trim() || !model || growing || declared.wrong) return;
    setQuestion("");
    void ask([...turns, { message: { role: "user", content: question.trim() } }]);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  };
  const giveResults = (results: Message[]) => void ask([...turns, ...results.map((message) => ({ message }))]);

  if (names.length === 0) {
    return (
      <Empty
        icon="models"
        title="No virtual model to ask"
        action={
          <Button component={Link} to="/virtual-models/new">
            Add virtual model
          </Button>
        }
      >
        There is none that is enabled.
      </Empty>
    );
  }
  const refusal = failure ? asRefusal(failure) : undefined;
  const last = turns.at(-1);
  return (
    <div className="bench">
      <Stack>
        <section className="talk" aria-label="Conversation" aria-live="polite" aria-busy={growing !== undefined}>
          {turns.length === 0 && !growing && (
            <Text c="dimmed" ta="center" py="xl">
              Nothing is kept: the conversation ends with this page.
            </Text>
          )}
          {turns.map((turn, index) => (
            <Say
              key={index}
              message={turn.message}
              answer={turn.answer}
              giveResults={turn === last && !growing ? giveResults : undefined}
            />
          ))}
          {growing && <Say message={growing.message} answer={growing} growing />}
        </section>
        {refusal && (
          <Alert color="red" role="alert" title={refusal.status ? `Refused with HTTP ${refusal.status}` : "It broke off"}>
            <Text size="sm">{refusal.message}</Text>
            {refusal.status === 401 && (
              <Text size="sm">
                This gateway asks clients for a key: fill one in at the side, or{" "}
                <Anchor component={Link} to="/api-keys/new">
                  make one
                </Anchor>
                .
              </Text>
            )}
            {last?.message.role !== "assistant" && turns.length > 0 && (
              <Button size="xs" mt="xs" variant="default" onClick={() => void ask(turns)}>
                Ask again
              </Button>
            )}
          </Alert>
        )}
        <form onSubmit={submit}>
          <Stack gap="xs">
            <Textarea
              label="Message"
              description="Enter sends, Shift and Enter begin a new line"
              autosize
              minRows={2}
              maxRows={10}
              value={question}
              onChange={(event) => setQuestion(event.currentTarget.value)}
              onKeyDown={onKey}
            />
            <Group justify="space-between">
              <Group gap="xs">
                {growing ? (
                  <Button
                    type="button"
                    color="red"
                    leftSection={<Icon name="stop" size={16} />}
                    onClick={() => running.current?.abort()}
                  >
                    Stop
                  </Button>
                ) : (
                  <Button
                    type="submit"
                    leftSection={<Icon name="send" size={16} />}
                    disabled={!question.trim() || declared.wrong !== undefined}
                  >
                    Send
                  </Button>
                )}
              </Group>
              <Button
                variant="default"
                disabled={turns.length === 0 || growing !== undefined}
                onClick={() => {
                  setTurns([]);
                  setFailure(undefined);
                }}
              >
                Begin anew
              </Button>
            </Group>
          </Stack>
        </form>
      </Stack>
      <Stack>
        <Paper withBorder p="md">
          <Stack gap="sm">
            <Select
              label="Virtual model"
              searchable
              allowDeselect={false}
              data={names.includes(model) ? names : [model, ...names]}
              value={model}
              onChange={(value) => value && change({ model: value })}
            />
            <Textarea
              label="System prompt"
              autosize
              minRows={1}
              maxRows={8}
              value={system}
              onChange={(event) => setSystem(event.currentTarget.value)}
            />
            <Textarea
              label="Tools"
              description="JSON, as in a request"
              autosize
              minRows={1}
              maxRows={14}
              value={tools}
              onChange={(event) => setTools(event.currentTarget.value)}
              error={declared.wrong}
              styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12 } }}
              spellCheck={false}
            />
            {!tools && (
              <Button size="compact-xs" variant="default" onClick={() => setTools(EXAMPLE_TOOLS)}>
                Use an example tool
              </Button>
            )}
            <div className="pair">
              <NumberInput
                label="Temperature"
                placeholder="Default"
                min={0}
                max={2}
                step={0.1}
                value={temperature}
                onChange={(value) => setTemperature(value)}
              />
              <NumberInput
                label="Max tokens"
                placeholder="Default"
                min={1}
                allowDecimal={false}
                value={limit}
                onChange={(value) => setLimit(value)}
              />
            </div>
            <Switch label="Stream" checked={stream} onChange={(event) => setStream(event.currentTarget.checked)} />
            <PasswordInput
              label="API key"
              description="Where clients need one; kept in this tab only"
              value={key}
              onChange={(event) => {
                setKey(event.currentTarget.value);
                sessionStorage.setItem(KEY, event.currentTarget.value.trim());
              }}
              autoComplete="off"
              visibilityToggleButtonProps={{ "aria-label": "Show or hide the key" }}
            />
          </Stack>
        </Paper>
        <Paper withBorder p="md">
          <Tabs defaultValue="curl" keepMounted={false}>
            <Tabs.List>
              <Tabs.Tab value="curl">curl</Tabs.Tab>
              <Tabs.Tab value="python">Python</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="curl" pt="sm">
              <CodeBlock label="The request as curl" text={asCurl(clientUrl(deployment), shown)} />
            </Tabs.Panel>
            <Tabs.Panel value="python" pt="sm">
              <CodeBlock label="The request as Python" text={asPython(clientUrl(deployment), shown)} />
            </Tabs.Panel>
          </Tabs>
        </Paper>
      </Stack>
    </div>
  );
}

function parsed(text: string): { tools?: unknown[]; wrong?: string } {
  if (!text.trim()) return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (!Array.isArray(value)) return { wrong: "must be a list, [ … ]" };
    return value.length > 0 ? { tools: value } : {};
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) };
  }
}
