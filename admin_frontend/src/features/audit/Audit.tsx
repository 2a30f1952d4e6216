/** Every change: who, when, what was before and after. */
import { Anchor, Badge, Group, Text, TextInput } from "@mantine/core";
import { Link } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import { Choice } from "../../parts/Choice";
import { Differences } from "../../parts/Differences";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { ClearFilters, PAGE, Period, useRecords } from "../../parts/Records";
import { Empty } from "../../parts/States";
import { dateTime } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";

type Entry = Schemas["AuditEntry"];

const NO_FILTERS = { user: "", kind: "", action: "", subject: "", since: "", until: "" };

const KINDS: Record<string, string> = {
  endpoint: "Endpoint",
  virtual_model: "Virtual model",
  tool_pattern: "Pattern",
  formats: "Built-in format",
  api_key: "API key",
  settings: "Settings",
};

const ACTIONS: Record<string, string> = {
  create: "Created",
  update: "Changed",
  delete: "Deleted",
  rotate: "Rotated",
  revoke: "Revoked",
};

/** Where what was changed can be seen as it is now. */
const PLACES: Record<string, string> = {
  endpoint: "/endpoints",
  virtual_model: "/virtual-models",
  tool_pattern: "/patterns",
  api_key: "/api-keys",
};

const choices = (names: Record<string, string>) => Object.entries(names).map(([value, label]) => ({ value, label }));

export function Audit() {
  const [filters, change] = useAddressState(NO_FILTERS);
  const audit = useRecords(["audit", filters], (cursor, signal) => {
    const asked = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ""));
    return ask(api.GET("/api/admin/audit", { params: { query: { ...asked, limit: PAGE, cursor } }, signal }));
  });
  const filtered = Object.values(filters).some((value) => value !== "");
  const columns: Column<Entry>[] = [
    {
      key: "at",
      title: "Time",
      head: true,
      by: (row) => -row.at,
      cell: (row) => <span className="nowrap">{dateTime(row.at)}</span>,
    },
    {
      key: "who",
      title: "Who",
      by: (row) => row.user,
      cell: (row) => (
        <>
          {row.user || <Text c="dimmed" size="sm" span>the gateway</Text>}
          <Text size="xs" c="dimmed">
            {row.address}
          </Text>
        </>
      ),
    },
    {
      key: "what",
      title: "What, before and after",
      by: (row) => `${row.kind} ${row.subject_name}`,
      cell: (row) => (
        <>
          <Group gap={6}>
            <Badge variant="default" size="sm" tt="none">
              {ACTIONS[row.action] ?? row.action}
            </Badge>
            <Subject entry={row} />
          </Group>
          <Text size="xs" c="dimmed" mb={4}>
            {KINDS[row.kind] ?? row.kind}
          </Text>
          <Differences changes={row.changes} />
        </>
      ),
    },
  ];
  return (
    <Page
      title="Audit"
      lead="Every change of the configuration and of client keys; secrets are masked."
      actions={<ClearFilters shown={filtered} clear={() => change(NO_FILTERS)} />}
    >
      <List
        label="changes"
        noun="change"
        rows={audit.rows}
        error={audit.error}
        retry={audit.retry}
        columns={columns}
        id={(row) => row.id}
        filters={
          <div className="filters">
            <Choice
              label="Kind"
              choices={choices(KINDS)}
              value={filters.kind}
              onChange={(kind) => change({ kind })}
            />
            <Choice
              label="Action"
              choices={choices(ACTIONS)}
              value={filters.action}
              onChange={(action) => change({ action })}
            />
            <TextInput
              label="What"
              placeholder="a name or an id"
              value={filters.subject}
              onChange={(event) => change({ subject: event.currentTarget.value })}
            />
            <TextInput
              label="Who"
              placeholder="a user"
              value={filters.user}
              onChange={(event) => change({ user: event.currentTarget.value })}
            />
            <Period since={filters.since} until={filters.until} change={change} />
          </div>
        }
        empty={
          <Empty icon="audit" title={filtered ? "Nothing matches these filters" : "No changes yet"}>
            {filtered ? "" : "Whatever is changed on these pages, or by a command, is listed here."}
          </Empty>
        }
        more={audit.more}
      />
    </Page>
  );
}

function Subject({ entry }: { entry: Entry }) {
  const name = entry.subject_name || entry.subject_id;
  const place = PLACES[entry.kind];
  if (!place || entry.action === "delete") return <strong>{name}</strong>;
  return (
    <Anchor component={Link} to={`${place}/${encodeURIComponent(entry.subject_id)}`} fw={600} size="sm">
      {name}
    </Anchor>
  );
}
