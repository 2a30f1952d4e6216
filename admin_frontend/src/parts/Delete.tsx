/** Asks, deletes, reads the list again. */
import { Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Confirm } from "./Confirm";
import { useTell } from "./Notices";

interface Props {
  /** As in "the virtual model fast". */
  what: string;
  /** "Delete", unless it is another kind of end. */
  verb?: string;
  done?: string;
  children: ReactNode;
  destroy: () => Promise<unknown>;
  stale: readonly unknown[];
  onClose: () => void;
  onDone?: () => void;
}

export function Delete({ what, verb = "Delete", done = "deleted", children, destroy, stale, onClose, onDone }: Props) {
  const queries = useQueryClient();
  const tell = useTell();
  const deletion = useMutation({
    mutationFn: destroy,
    onSuccess: async () => {
      tell.done(`${what[0]?.toUpperCase()}${what.slice(1)} is ${done}.`);
      onClose();
      onDone?.();
      await queries.invalidateQueries({ queryKey: stale });
    },
  });
  return (
    <Confirm
      opened
      title={`${verb} ${what}?`}
      verb={verb}
      busy={deletion.isPending}
      error={deletion.error}
      onConfirm={() => deletion.mutate()}
      onClose={onClose}
    >
      <Text size="sm">{children}</Text>
    </Confirm>
  );
}
