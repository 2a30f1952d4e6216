/** Asks the endpoint for real, as it is stored or as the form has it now. */
import { Alert, Button, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Schemas, api, ask, asRefusal } from "../../api/client";
import { useTell } from "../../parts/Notices";
import { milliseconds, plural } from "../../parts/formats";

type Outcome = Schemas["EndpointWorks"] | Schemas["EndpointFails"];

const STAGES: Record<Schemas["EndpointFails"]["stage"], string> = {
  connect: "It cannot be reached",
  tls: "The encrypted connection fails",
  auth: "It refuses the key",
  timeout: "It does not answer in time",
  models: "It answers, but not as expected",
};

interface Props {
  id: number;
  name: string;
  /** The form's unsaved fields. */
  unsaved?: Schemas["EndpointChange"];
  compact?: boolean;
}

export function ConnectionTest({ id, name, unsaved, compact }: Props) {
  const queries = useQueryClient();
  const tell = useTell();
  const test = useMutation({
    mutationFn: () =>
      ask<Outcome>(api.POST("/api/admin/endpoints/{id}/test", { params: { path: { id } }, body: unsaved ?? null })),
    onSuccess: (outcome) => {
      if (!compact) return;
      if (outcome.status === "ok") tell.done(`${name} works: ${words(outcome)}`);
      else tell.failed(`${name}: ${STAGES[outcome.stage]}. ${outcome.message}`);
    },
    onError: (error) => compact && tell.failed(`${name} could not be tested: ${asRefusal(error).message}`),
    onSettled: () => queries.invalidateQueries({ queryKey: ["health"] }),
  });
  if (compact) {
    return (
      <Button
        size="compact-sm"
        variant="default"
        loading={test.isPending}
        onClick={() => test.mutate()}
        aria-label={`Test ${name}`}
      >
        Test
      </Button>
    );
  }
  const outcome = test.data;
  return (
    <div>
      <Button variant="default" loading={test.isPending} onClick={() => test.mutate()}>
        Test the connection
      </Button>
      <div role="status">
        {outcome?.status === "ok" && (
          <Alert mt="sm" color="teal" title="It works">
            <Text size="sm">{words(outcome)}</Text>
          </Alert>
        )}
        {outcome?.status === "failed" && (
          <Alert mt="sm" color="red" title={STAGES[outcome.stage]}>
            <Text size="sm">{outcome.message}</Text>
            {outcome.endpoint_status && <Text size="sm">It answered HTTP {outcome.endpoint_status}.</Text>}
          </Alert>
        )}
        {test.error && (
          <Alert mt="sm" color="red" title="Not tested">
            <Text size="sm">{asRefusal(test.error).message}</Text>
          </Alert>
        )}
      </div>
    </div>
  );
}

function words(outcome: Schemas["EndpointWorks"]): string {
  const what =
    outcome.models === null
      ? `the model ${outcome.model} answered`
      : `it lists ${plural(outcome.models ?? 0, "model")}`;
  return `${what}, after ${milliseconds(outcome.latency_ms)}.`;
}
