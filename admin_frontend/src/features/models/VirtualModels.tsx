/** The list of virtual models: where each leads, what it costs. */
import { ActionIcon, Anchor, Badge, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, ask } from "../../api/client";
import { type VirtualModel, endpointsQuery, virtualModelsQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { Empty } from "../../parts/States";
import { Toggle } from "../../parts/Toggle";
import { dollars, plural } from "../../parts/formats";
import { Changing } from "../../signin/rights";
import { DeleteVirtualModel } from "./DeleteVirtualModel";

export function VirtualModels() {
  const models = useQuery(virtualModelsQuery);
  const endpoints = useQuery(endpointsQuery);
  const [doomed, setDoomed] = useState<VirtualModel>();
  const names = new Map(endpoints.data?.map((each) => [each.id, each.name]));
  const nameOf = (id: number) => names.get(id) ?? `endpoint ${id}`;

  const columns: Column<VirtualModel>[] = [
    {
      key: "name",
      title: "Name",
      head: true,
      by: (row) => row.name.toLowerCase(),
      cell: (row) => (
        <>
          <Anchor component={Link} to={`/virtual-models/${row.id}`} fw={600} size="sm">
            {row.name}
          </Anchor>
          {row.aliases.length > 0 && (
            <Text size="xs" c="dimmed">
              also <span className="mono">{row.aliases.join(", ")}</span>
            </Text>
          )}
          {row.description && (
            <Text size="xs" c="dimmed" className="clamped">
              {row.description}
            </Text>
          )}
        </>
      ),
    },
    {
      key: "leads",
      title: "Leads to",
      by: (row) => `${row.endpoint_name} ${row.actual_model}`,
      cell: (row) => (
        <Group gap={6}>
          <span>
            {row.endpoint_name ?? "a deleted endpoint"} › <span className="mono">{row.actual_model}</span>
          </span>
          {row.targets.length > 1 && (
            <Badge
              size="sm"
              variant="default"
              tt="none"
              title={row.targets
                .slice(1)
                .map((each) => `${nameOf(each.endpoint_id)} › ${each.actual_model}`)
                .join("\n")}
            >
              +{plural(row.targets.length - 1, "fallback")}
            </Badge>
          )}
        </Group>
      ),
    },
    {
      key: "in",
      title: "In, $/1M",
      align: "right",
      wide: true,
      by: (row) => row.cost_per_1m_tokens_in ?? -1,
      cell: (row) => dollars(row.cost_per_1m_tokens_in),
    },
    {
      key: "out",
      title: "Out, $/1M",
      align: "right",
      wide: true,
      by: (row) => row.cost_per_1m_tokens_out ?? -1,
      cell: (row) => dollars(row.cost_per_1m_tokens_out),
    },
    {
      key: "enabled",
      title: "Enabled",
      by: (row) => (row.enabled ? 0 : 1),
      cell: (row) => (
        <Toggle
          name={row.name}
          enabled={row.enabled}
          stale={["virtual-models"]}
          change={(enabled) =>
            ask(api.PUT("/api/admin/virtual-models/{id}", { params: { path: { id: row.id } }, body: { enabled } }))
          }
        />
      ),
    },
    {
      key: "actions",
      title: "Actions",
      cell: (row) => (
        <Group gap={6} wrap="nowrap">
          <Button
            component={Link}
            to={`/playground?model=${encodeURIComponent(row.name)}`}
            size="compact-sm"
            variant="default"
            aria-label={`Try ${row.name}`}
          >
            Try
          </Button>
          <Changing>
            <ActionIcon variant="default" aria-label={`Delete ${row.name}`} onClick={() => setDoomed(row)}>
              <Icon name="trash" size={16} />
            </ActionIcon>
          </Changing>
        </Group>
      ),
    },
  ];
  const add = (
    <Changing>
      <Button component={Link} to="/virtual-models/new" leftSection={<Icon name="add" size={16} />}>
        Add virtual model
      </Button>
    </Changing>
  );
  return (
    <Page
      title="Virtual models"
      lead="What clients ask for by name. Each leads to a model of an endpoint, and to others when that one fails."
      actions={add}
    >
      <List
        label="virtual models"
        noun="virtual model"
        rows={models.data}
        error={models.error}
        retry={() => void models.refetch()}
        columns={columns}
        id={(row) => row.id}
        words={(row) =>
          [row.name, ...row.aliases, row.description, ...row.targets.map((each) => `${nameOf(each.endpoint_id)} ${each.actual_model}`)]
            .filter(Boolean)
            .join(" ")
        }
        sorted="name"
        empty={
          <Empty icon="models" title="No virtual models yet" action={add}>
            Clients name a virtual model in their requests. It stands for a model of one of your endpoints, and can be
            pointed elsewhere without changing a client.
          </Empty>
        }
      />
      {doomed && <DeleteVirtualModel model={doomed} onClose={() => setDoomed(undefined)} />}
    </Page>
  );
}
