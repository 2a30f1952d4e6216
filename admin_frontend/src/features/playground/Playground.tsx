/** A conversation with any virtual model, as a client would have it. */
import { Alert, Anchor, Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type KeyboardEvent, useState } from "react";
import { Link } from "react-router";
import { asRefusal } from "../../api/client";
import { virtualModelsQuery } from "../../api/queries";
import { clientUrl } from "../../deployment";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Empty, Failed, Loading } from "../../parts/States";
import { useAddressState } from "../../parts/useAddressState";
import { Changing } from "../../signin/rights";
import { useSession } from "../../signin/session";
import { AsCode } from "./AsCode";
import { RequestFields } from "./RequestFields";
import { Say } from "./Say";
import { type Asking, NOTHING_ASKED, requestOf, toolsOf } from "./request";
import type { Message } from "./stream";
import { useConversation } from "./useConversation";

const DEFAULTS = { model: "" };
const KEY = "playground.key";

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
  const [{ model: chosen }, changeAddress] = useAddressState(DEFAULTS);
  const model = chosen || names[0] || "";
  const [question, setQuestion] = useState("");
  const [asking, setAsking] = useState<Asking>(() => ({ ...NOTHING_ASKED, key: sessionStorage.getItem(KEY) ?? "" }));
  const { turns, growing, failure, say, stop, clear } = useConversation((messages) => ({
    request: requestOf(model, asking, messages),
    key: asking.key.trim(),
  }));
  const change = (part: Partial<Asking>) => {
    setAsking((before) => ({ ...before, ...part }));
    if (part.key !== undefined) sessionStorage.setItem(KEY, part.key.trim());
  };
  const wrong = toolsOf(asking).wrong;
  const said = turns.map((turn) => turn.message);
  const next: Message = { role: "user", content: question.trim() || "Hello" };
  const shown = requestOf(model, asking, turns.at(-1)?.message.role === "tool" ? said : [...said, next]);

  const send = () => {
    if (!question.trim() || !model || growing || wrong) return;
    setQuestion("");
    say([{ role: "user", content: question.trim() }]);
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

  if (names.length === 0) {
    return (
      <Empty
        icon="models"
        title="No virtual model to ask"
        action={
          <Changing>
            <Button component={Link} to="/virtual-models/new">
              Add virtual model
            </Button>
          </Changing>
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
              giveResults={turn === last && !growing ? say : undefined}
            />
          ))}
          {growing && <Say message={growing.message} answer={growing} growing />}
        </section>
        {refusal && (
          <Alert color="red" role="alert" title={refusal.status ? `Refused with HTTP ${refusal.status}` : "It broke off"}>
            <Text size="sm">{refusal.message}</Text>
            {refusal.status === 401 && (
              <Text size="sm">
                This gateway asks clients for a key: fill one in among the fields
                <Changing instead="; an administrator can make one.">
                  {" "}
                  or{" "}
                  <Anchor component={Link} to="/api-keys/new">
                    make one
                  </Anchor>
                  .
                </Changing>
              </Text>
            )}
            {last?.message.role !== "assistant" && turns.length > 0 && (
              <Button size="xs" mt="xs" variant="default" onClick={() => say([])}>
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
                    onClick={stop}
                  >
                    Stop
                  </Button>
                ) : (
                  <Button
                    type="submit"
                    leftSection={<Icon name="send" size={16} />}
                    disabled={!question.trim() || wrong !== undefined}
                  >
                    Send
                  </Button>
                )}
              </Group>
              <Button
                variant="default"
                disabled={turns.length === 0 || growing !== undefined}
                onClick={clear}
              >
                Begin anew
              </Button>
            </Group>
          </Stack>
        </form>
      </Stack>
      <Stack>
        <RequestFields
          names={names}
          model={model}
          choose={(name) => changeAddress({ model: name })}
          request={asking}
          change={change}
        />
        <AsCode url={clientUrl(deployment)} request={shown} />
      </Stack>
    </div>
  );
}
