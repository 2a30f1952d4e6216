/** The list of client keys: who may ask, for what, and how much. */
import { ActionIcon, Anchor, Badge, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { api, ask } from "../../api/client";
import { type ApiKey, apiKeysQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { Dot } from "../../parts/Seen";
import { Empty } from "../../parts/States";
import { Toggle } from "../../parts/Toggle";
import { ago, count, dateTime, dollars, plural, shortCount } from "../../parts/formats";
import { Changing } from "../../signin/rights";
import { RevokeKey } from "./RevokeKey";

const STANDING: Record<ApiKey["status"], { kind: "good" | "bad" | "off"; text: string }> = {
  active: { kind: "good", text: "Active" },
  disabled: { kind: "off", text: "Disabled" },
  expired: { kind: "bad", text: "Expired" },
  revoked: { kind: "bad", text: "Revoked" },
};

export function ApiKeys() {
  const keys = useQuery(apiKeysQuery);
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState<ApiKey>();
  const columns: Column<ApiKey>[] = [
    {
      key: "label",
      title: "Label",
      head: true,
      by: (row) => row.label.toLowerCase(),
      cell: (row) => (
        <>
          <Anchor component={Link} to={`/api-keys/${row.id}`} fw={600} size="sm">
            {row.label}
          </Anchor>
          {row.notes && (
            <Text size="xs" c="dimmed" className="clamped">
              {row.notes}
            </Text>
          )}
        </>
      ),
    },
    { key: "prefix", title: "Begins with", wide: true, cell: (row) => <span className="mono nowrap">{row.key_prefix}…</span> },
    {
      key: "status",
      title: "Status",
      by: (row) => row.status,
      cell: (row) => <Dot {...STANDING[row.status]} />,
    },
    { key: "limits", title: "Limits", cell: (row) => <Limits row={row} /> },
    {
      key: "used",
      title: "Last used",
      wide: true,
      by: (row) => -(row.last_used_at ?? 0),
      cell: (row) => (
        <span className="nowrap" title={row.last_used_at ? dateTime(row.last_used_at) : undefined}>{ago(row.last_used_at)}</span>
      ),
    },
    {
      key: "enabled",
      title: "Enabled",
      by: (row) => (row.enabled ? 0 : 1),
      cell: (row) =>
        row.revoked_at === null && (
          <Toggle
            name={row.label}
            enabled={row.enabled}
            stale={["api-keys"]}
            change={(enabled) =>
              ask(api.PUT("/api/admin/api-keys/{id}", { params: { path: { id: row.id } }, body: { enabled } }))
            }
          />
        ),
    },
    {
      key: "actions",
      title: "Actions",
      changes: true,
      cell: (row) =>
        row.revoked_at === null && (
          <ActionIcon variant="default" aria-label={`Revoke ${row.label}`} onClick={() => setDoomed(row)}>
            <Icon name="trash" size={16} />
          </ActionIcon>
        ),
    },
  ];
  const add = (
    <Changing>
      <Button leftSection={<Icon name="add" size={16} />} onClick={() => navigate("/api-keys/new")}>
        Make a key
      </Button>
    </Changing>
  );
  return (
    <Page title="API keys" lead="What clients show to be let in. A key itself is shown once, when it is made." actions={add}>
      <List
        label="API keys"
        noun="key"
        rows={keys.data}
        error={keys.error}
        retry={() => void keys.refetch()}
        columns={columns}
        id={(row) => row.id}
        words={(row) => `${row.label} ${row.key_prefix} ${row.notes} ${row.status}`}
        sorted="label"
        empty={
          <Empty icon="key" title="No keys yet" action={add}>
            With a key, a client's requests are counted under its name, and can be limited.
          </Empty>
        }
      />
      {doomed && <RevokeKey apiKey={doomed} onClose={() => setDoomed(undefined)} />}
    </Page>
  );
}

function Limits({ row }: { row: ApiKey }) {
  const words = [
    row.allowed_models.length > 0 && plural(row.allowed_models.length, "model"),
    row.requests_per_minute !== null && `${count(row.requests_per_minute)} requests/min`,
    row.tokens_per_minute !== null && `${shortCount(row.tokens_per_minute)} tokens/min`,
    row.parallel_requests !== null && `${row.parallel_requests} at once`,
    row.daily_budget !== null && `${dollars(row.daily_budget)}/day`,
    row.monthly_budget !== null && `${dollars(row.monthly_budget)}/month`,
    row.expires_at !== null && `until ${dateTime(row.expires_at)}`,
  ].filter((each): each is string => typeof each === "string");
  if (words.length === 0)
    return (
      <Text component="span" size="sm" c="dimmed">
        none
      </Text>
    );
  return (
    <Group gap={4}>
      {words.map((each) => (
        <Badge key={each} variant="default" size="sm" tt="none" fw={500}>
          {each}
        </Badge>
      ))}
    </Group>
  );
}
