/** The list of endpoints: how each was last seen, switched on and off, tested, deleted. */
import { ActionIcon, Anchor, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, ask } from "../../api/client";
import { type Endpoint, type Sighting, endpointsQuery, healthQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { Seen } from "../../parts/Seen";
import { Empty } from "../../parts/States";
import { Toggle } from "../../parts/Toggle";
import { Changing } from "../../signin/rights";
import { ConnectionTest } from "./ConnectionTest";
import { DeleteEndpoint } from "./DeleteEndpoint";
import { typeOf } from "./types";

export function Endpoints() {
  const endpoints = useQuery(endpointsQuery);
  const health = useQuery(healthQuery);
  const [doomed, setDoomed] = useState<Endpoint>();
  const seen = new Map<string, Sighting>(health.data?.endpoints.map((each) => [each.name, each]));

  const columns: Column<Endpoint>[] = [
    {
      key: "name",
      title: "Name",
      head: true,
      by: (row) => row.name.toLowerCase(),
      cell: (row) => (
        <Anchor component={Link} to={`/endpoints/${row.id}`} fw={600} size="sm">
          {row.name}
        </Anchor>
      ),
    },
    {
      key: "type",
      title: "Type",
      wide: true,
      by: (row) => row.endpoint_type,
      cell: (row) => typeOf(row.endpoint_type)?.label ?? row.endpoint_type,
    },
    { key: "url", title: "URL", wide: true, by: (row) => row.url, cell: (row) => <span className="mono whole">{row.url}</span> },
    {
      key: "key",
      title: "Key",
      wide: true,
      cell: (row) => (row.has_api_key ? <span className="mono nowrap">…{row.api_key_hint ?? "set"}</span> : <Dash />),
    },
    {
      key: "priority",
      title: "Priority",
      align: "right",
      wide: true,
      by: (row) => -row.priority,
      cell: (row) => row.priority,
    },
    {
      key: "seen",
      title: "Last seen",
      by: (row) => -(seen.get(row.name)?.last_seen ?? 0),
      cell: (row) => <Seen sighting={seen.get(row.name)} enabled={row.enabled} />,
    },
    {
      key: "enabled",
      title: "Enabled",
      by: (row) => (row.enabled ? 0 : 1),
      cell: (row) => (
        <Toggle
          name={row.name}
          enabled={row.enabled}
          stale={["endpoints"]}
          change={(enabled) =>
            ask(api.PUT("/api/admin/endpoints/{id}", { params: { path: { id: row.id } }, body: { enabled } }))
          }
        />
      ),
    },
    {
      key: "actions",
      title: "Actions",
      changes: true,
      cell: (row) => (
        <Group gap={6} wrap="nowrap">
          <ConnectionTest id={row.id} name={row.name} compact />
          <ActionIcon variant="default" aria-label={`Delete ${row.name}`} onClick={() => setDoomed(row)}>
            <Icon name="trash" size={16} />
          </ActionIcon>
        </Group>
      ),
    },
  ];

  const add = (
    <Changing>
      <Button component={Link} to="/endpoints/new" leftSection={<Icon name="add" size={16} />}>
        Add endpoint
      </Button>
    </Changing>
  );
  return (
    <Page
      title="Endpoints"
      lead="Backends that answer requests. What clients ask for are virtual models, which lead here."
      actions={add}
    >
      <List
        label="endpoints"
        noun="endpoint"
        rows={endpoints.data}
        error={endpoints.error}
        retry={() => void endpoints.refetch()}
        columns={columns}
        id={(row) => row.id}
        words={(row) => `${row.name} ${row.endpoint_type} ${row.url}`}
        sorted="name"
        empty={
          <Empty icon="endpoints" title="No endpoints yet" action={add}>
            An endpoint is a backend with its address and key: a provider like OpenAI or Anthropic, or a server of your
            own.
          </Empty>
        }
      />
      {doomed && <DeleteEndpoint endpoint={doomed} onClose={() => setDoomed(undefined)} />}
    </Page>
  );
}

const Dash = () => (
  <Text component="span" size="sm" c="dimmed">
    none
  </Text>
);
