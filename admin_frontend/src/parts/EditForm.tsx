/** The frame of every form: its error, its conflict with somebody else's change, its buttons, and a word before leaving. */
import { Alert, Button, Group, List, Stack, Text } from "@mantine/core";
import { type FormEvent, type ReactNode, useEffect, useRef } from "react";
import { useBlocker } from "react-router";
import { Changing, Fields, LookOnly } from "../signin/rights";
import { Confirm } from "./Confirm";
import type { Saving } from "./useSave";

interface Props<T extends object> {
  saving: Saving<T>;
  /** Fields that show their errors themselves. */
  shown: readonly string[];
  verb: string;
  onCancel: () => void;
  children: ReactNode;
}

export function EditForm<T extends object>({ saving, shown, verb, onCancel, children }: Props<T>) {
  const { draft, refusal, busy, save } = saving;
  const form = useRef<HTMLFormElement>(null);
  const blocker = useLeaveGuard(draft.dirty && !busy);

  useEffect(() => {
    // the first wrong field, where a keyboard or a screen reader goes on
    if (refusal?.fields.length) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refusal]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    save();
  };
  return (
    <form ref={form} onSubmit={submit} noValidate>
      <Stack gap="lg">
        <Changing instead={<LookOnly>An administrator can change what is below.</LookOnly>}>
          <Refused saving={saving} others={draft.others(shown)} />
        </Changing>
        <Fields>
          <Stack gap="lg">{children}</Stack>
        </Fields>
        <Changing>
          <Group className="form-actions">
            <Button type="submit" loading={busy}>
              {verb}
            </Button>
            <Button variant="default" onClick={onCancel}>
              Cancel
            </Button>
            {draft.dirty && (
              <Text size="sm" c="dimmed">
                Not saved yet
              </Text>
            )}
          </Group>
        </Changing>
      </Stack>
      <Confirm
        opened={blocker.state === "blocked"}
        title="Leave without saving?"
        verb="Leave"
        cancel="Stay"
        onConfirm={() => blocker.proceed?.()}
        onClose={() => blocker.reset?.()}
      >
        <Text>What you changed here is not saved yet.</Text>
      </Confirm>
    </form>
  );
}

/** Why it is not saved; with a conflict, the choice between what is stored and what is in the form. */
function Refused<T extends object>({ saving, others }: { saving: Saving<T>; others: string[] }) {
  const { refusal, conflict } = saving;
  if (!refusal) return null;
  if (conflict) {
    return (
      <Alert color="yellow" role="alert" title="Somebody else has changed this meanwhile">
        <Text size="sm" mb="xs">
          Nothing of yours is lost: it is still in the form. What is stored now is different.
        </Text>
        <Group gap="xs">
          <Button size="xs" variant="default" onClick={conflict.takeTheirs}>
            Show what is stored
          </Button>
          <Button size="xs" color="red" onClick={conflict.overwrite}>
            Save mine over it
          </Button>
        </Group>
      </Alert>
    );
  }
  return (
    <Alert color="red" role="alert" title="Not saved">
      {others.length > 0 ? (
        <List size="sm">
          {others.map((each) => (
            <List.Item key={each}>{each}</List.Item>
          ))}
        </List>
      ) : refusal.fields.length > 0 ? (
        <Text size="sm">Look at the marked fields. Nothing of what you wrote is lost.</Text>
      ) : (
        <Text size="sm">{refusal.message}</Text>
      )}
    </Alert>
  );
}

function useLeaveGuard(dirty: boolean) {
  useEffect(() => {
    if (!dirty) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [dirty]);
  return useBlocker(
    ({ currentLocation, nextLocation }) => dirty && currentLocation.pathname !== nextLocation.pathname,
  );
}
