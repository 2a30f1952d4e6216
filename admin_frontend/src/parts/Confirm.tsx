/** Asks before something is destroyed, and names it. */
import { Alert, Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { asRefusal } from "../api/client";

interface Props {
  opened: boolean;
  title: string;
  /** The verb on the button: "Delete endpoint". */
  verb: string;
  children: ReactNode;
  busy?: boolean;
  error?: unknown;
  harmless?: boolean;
  cancel?: string;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm(props: Props) {
  const { opened, title, verb, children, busy, error, harmless, cancel = "Cancel", onConfirm, onClose } = props;
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        {children}
        {error !== undefined && error !== null && (
          <Alert color="red" role="alert">
            {asRefusal(error).message}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {cancel}
          </Button>
          <Button color={harmless ? undefined : "red"} loading={busy} onClick={onConfirm}>
            {verb}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
