/** What was used and what it cost, over time and by day, model, endpoint and key. */
import { Group, SegmentedControl, Tabs, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { apiKeysQuery, virtualModelsQuery } from "../../api/queries";
import { type Stretch, usageQuery } from "../../api/usage";
import { Choice, named } from "../../parts/Choice";
import { Page } from "../../parts/Page";
import { Failed, Loading } from "../../parts/States";
import { zone } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";
import { Charts } from "./Charts";
import { Csv } from "./Csv";
import { Days } from "./Days";
import { Totals } from "./Totals";
import { ByEndpoint, ByKey, ByModel } from "./breakdowns";
import { NO_CHOICE, RANGES, stretchOf } from "./range";

const TYPES = [
  { value: "chat", label: "Chats" },
  { value: "completion", label: "Completions" },
  { value: "embedding", label: "Embeddings" },
];

export function Usage() {
  const [choice, change] = useAddressState(NO_CHOICE);
  const [now] = useState(() => Date.now() / 1_000);
  const models = useQuery(virtualModelsQuery);
  const keys = useQuery(apiKeysQuery);
  const stretch = stretchOf(choice, now);
  return (
    <Page
      title="Usage and cost"
      lead={`Counted from the ledger; days are those of ${zone()}. An attempt is one question to one backend: a request that falls back makes several.`}
      actions={stretch && <Csv stretch={stretch} />}
    >
      <Group gap="sm" align="flex-end">
        <SegmentedControl
          aria-label="Range"
          size="xs"
          data={RANGES}
          value={choice.range}
          onChange={(range) => change({ range })}
        />
        {choice.range === "custom" && (
          <>
            <TextInput
              label="From"
              type="date"
              value={choice.from}
              max={choice.to || undefined}
              onChange={(event) => change({ from: event.currentTarget.value })}
            />
            <TextInput
              label="To"
              type="date"
              value={choice.to}
              min={choice.from || undefined}
              onChange={(event) => change({ to: event.currentTarget.value })}
            />
          </>
        )}
      </Group>
      <div className="filters">
        <Choice
          label="Virtual model"
          none="All"
          choices={named(models.data?.map((each) => each.name))}
          value={choice.model}
          onChange={(model) => change({ model })}
        />
        <Choice
          label="Key"
          none="All"
          choices={keys.data?.map((each) => ({ value: each.id, label: each.label }))}
          value={choice.key}
          onChange={(key) => change({ key })}
        />
        <Choice
          label="Kind of request"
          none="All"
          choices={TYPES}
          value={choice.type}
          onChange={(type) => change({ type })}
        />
      </div>
      {stretch ? (
        <Figures stretch={stretch} by={choice.by} chooseBy={(by) => change({ by })} />
      ) : (
        <Text c="dimmed">Choose the first and the last day.</Text>
      )}
    </Page>
  );
}

function Figures({ stretch, by, chooseBy }: { stretch: Stretch; by: string; chooseBy: (by: string) => void }) {
  const usage = useQuery(usageQuery(stretch));
  if (usage.error) return <Failed error={usage.error} retry={() => void usage.refetch()} />;
  if (!usage.data) return <Loading />;
  const { summary, days, estimated } = usage.data;
  return (
    <>
      <Totals summary={summary} />
      <Charts stretch={stretch} days={days} />
      {estimated.length > 0 && (
        <Text size="sm" c="dimmed">
          * {estimated.join(", ")}: some backends reported no tokens, those are estimates.
        </Text>
      )}
      <Tabs value={by} onChange={(value) => value && chooseBy(value)} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="day">By day</Tabs.Tab>
          <Tabs.Tab value="model">By model</Tabs.Tab>
          <Tabs.Tab value="endpoint">By endpoint</Tabs.Tab>
          <Tabs.Tab value="key">By key</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="day">
          <Days days={days} estimated={estimated} />
        </Tabs.Panel>
        <Tabs.Panel value="model">
          <ByModel stretch={stretch} />
        </Tabs.Panel>
        <Tabs.Panel value="endpoint">
          <ByEndpoint stretch={stretch} />
        </Tabs.Panel>
        <Tabs.Panel value="key">
          <ByKey stretch={stretch} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
