/** A switch in a list that saves at once and goes back when it could not; viewers read how it stands. */
import { Switch, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { asRefusal } from "../api/client";
import { LOOK_ONLY, useMayChange } from "../signin/rights";
import { useTell } from "./Notices";

interface Props {
  name: string;
  enabled: boolean;
  change: (enabled: boolean) => Promise<unknown>;
  /** What is to be read again. */
  stale: readonly unknown[];
}

export function Toggle({ name, enabled, change, stale }: Props) {
  const queries = useQueryClient();
  const tell = useTell();
  const mayChange = useMayChange();
  const save = useMutation({
    mutationFn: change,
    onSuccess: (_, wanted) => tell.done(`${name} is ${wanted ? "enabled" : "disabled"}.`),
    onError: (error) => tell.failed(`${name} was not changed: ${asRefusal(error).message}`),
    onSettled: () => queries.invalidateQueries({ queryKey: stale }),
  });
  if (!mayChange) {
    return (
      <Text component="span" size="sm" title={LOOK_ONLY}>
        {enabled ? "Yes" : "No"}
      </Text>
    );
  }
  return (
    <Switch
      aria-label={`${name} enabled`}
      checked={save.isPending ? save.variables : enabled}
      onChange={(event) => save.mutate(event.currentTarget.checked)}
    />
  );
}
