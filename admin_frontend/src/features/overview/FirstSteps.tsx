/** Leads somebody who has configured nothing yet from an endpoint to a first answer. */
import { Button, Group, Text, Title } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, ask } from "../../api/client";
import type { Endpoint, VirtualModel } from "../../api/queries";

interface Props {
  endpoints: readonly Endpoint[];
  models: readonly VirtualModel[];
}

interface Step {
  title: string;
  text: string;
  done: boolean;
  action: string;
  to: string;
}

export function FirstSteps({ endpoints, models }: Props) {
  const [hidden, setHidden] = useLocalStorage({ key: "first-steps-hidden", defaultValue: false });
  // the built-in demo is there from the beginning and no backend of theirs
  const own = endpoints.filter((each) => each.endpoint_type !== "demo");
  const ids = new Set(own.map((each) => each.id));
  const named = models.filter((model) => model.targets.some((each) => ids.has(each.endpoint_id)));
  const [first] = named;
  const answered = useQuery({
    queryKey: ["activity", "first-answer", first?.name],
    enabled: first !== undefined,
    refetchInterval: 10_000,
    queryFn: async ({ signal }) => {
      const query = { model: first?.name, outcome: "success", limit: 1 };
      return (await ask(api.GET("/api/admin/activity", { params: { query }, signal }))).count > 0;
    },
  });
  const done = answered.data === true;
  if (hidden || done || (first && answered.isPending)) return null;
  const steps: Step[] = [
    {
      title: "Add an endpoint",
      text: "A provider with your key, or a server of your own.",
      done: own.length > 0,
      action: "Add endpoint",
      to: "/endpoints/new",
    },
    {
      title: "Name a virtual model",
      text: "What clients ask for, and the endpoint's model behind it.",
      done: named.length > 0,
      action: "Add virtual model",
      to: own[0] ? `/virtual-models/new?endpoint=${own[0].id}` : "/virtual-models/new",
    },
    {
      title: "Get a first answer",
      text: "Ask it in the playground, as a client would.",
      done,
      action: "Open the playground",
      to: first ? `/playground?model=${encodeURIComponent(first.name)}` : "/playground",
    },
  ];
  const current = steps.findIndex((step) => !step.done);
  return (
    <section aria-labelledby="first-steps">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4" id="first-steps">
          First steps
        </Title>
        <Button size="compact-sm" variant="default" onClick={() => setHidden(true)}>
          Hide
        </Button>
      </Group>
      <ol className="steps">
        {steps.map((step, index) => (
          <li key={step.title} data-done={step.done}>
            <div>
              <Text fw={600}>{step.title}</Text>
              <Text size="sm" c="dimmed">
                {step.done ? "Done" : step.text}
              </Text>
            </div>
            {index === current && (
              <Button component={Link} to={step.to} size="xs">
                {step.action}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
