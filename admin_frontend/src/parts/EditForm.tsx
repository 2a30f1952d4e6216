/** The frame of every form: its error, its conflict with somebody else's change, its buttons, and a word before leaving. */
import { Alert, Button, Group, List, Stack, Text } from "@mantine/core";
import { type FormEvent, type ReactNode, useEffect, useRef } from "react";
import { useBlocker } from "react-router";
import type { Refusal } from "../api/client";
import { useSession } from "../signin/session";
import { Confirm } from "./Confirm";
import type { Draft } from "./useDraft";

interface Props<T extends object> {
  draft: Draft<T>;
  refusal: Refusal | null;
  /** Fields that show their errors themselves. */
  shown: readonly string[];
  busy: boolean;
  verb: string;
  onSave: () => void;
  onCancel: () => void;
  /** With a conflict: take the stored state, or save over it. */
  takeTheirs?: () => void;
  overwrite?: () => void;
  further?: ReactNode;
  children: ReactNode;
}

export function EditForm<T extends object>(props: Props<T>) {
  const { draft, refusal, shown, busy, verb, onSave, onCancel, takeTheirs, overwrite, further, children } = props;
  const { role } = useSession();
  const form = useRef<HTMLFormElement>(null);
  const blocker = useLeaveGuard(draft.dirty && !busy);
  const others = draft.others(shown);
  const conflict = refusal?.status === 409 && refusal.body.current !== undefined;

  useEffect(() => {
    // the first wrong field, where a keyboard or a screen reader goes on
    if (refusal?.fields.length) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refusal]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave();
  };
  return (
    <form ref={form} onSubmit={submit} noValidate>
      <Stack gap="lg">
        {conflict ? (
          <Alert color="yellow" role="alert" title="Somebody else has changed this meanwhile">
            <Text size="sm" mb="xs">
              Nothing of yours is lost: it is still in the form. What is stored now is different.
            </Text>
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={takeTheirs}>
                Show what is stored
              </Button>
              <Button size="xs" color="red" onClick={overwrite}>
                Save mine over it
              </Button>
            </Group>
          </Alert>
        ) : (
          refusal && (
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
          )
        )}
        {children}
        <Group className="form-actions">
          <Button type="submit" loading={busy} disabled={role === "viewer"}>
            {verb}
          </Button>
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          {further}
        </Group>
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
