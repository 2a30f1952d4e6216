/** Every change: who, when, what was before and after. */
import { Badge, Button, Group, Select, Text, TextInput } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { type Schemas, api, ask } from "../../api/client";
import { Differences } from "../../parts/Differences";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { Empty } from "../../parts/States";
import { dateTime } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";

type Entry = Schemas["AuditEntry"];

const PAGE = 50;
const NO_FILTERS = { user: "", kind: "", action: "", subject: "", since: "", until: "" };

export const KINDS: Record<string, string> = {
  endpoint: "Endpoint",
  virtual_model: "Virtual model",
  tool_pattern: "Pattern",
  formats: "Built-in format",
  api_key: "API key",
  settings: "Settings",
};

export const ACTIONS: Record<string, string> = {
  create: "Created",
  update: "Changed",
  delete: "Deleted",
  rotate: "Rotated",
  revoke: "Revoked",
};

const choices = (names: Record<string, string>) => Object.entries(names).map(([value, label]) => ({ value, label }));
const moment = (field: string) => (field ? String(Math.floor(new Date(field).getTime() / 1_000)) : undefined);

export function Audit() {
  const [filters, change] = useAddressState(NO_FILTERS);
  const audit = useInfiniteQuery({
    queryKey: ["audit", filters],
    initialPageParam: "",
    placeholderData: keepPreviousData,
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/admin/audit", {
          params: {
            query: {
              user: filters.user || undefined,
              kind: (filters.kind || undefined) as Entry["kind"] | undefined,
              action: (filters.action || undefined) as Entry["action"] | undefined,
              subject: filters.subject || undefined,
              since: moment(filters.since),
              until: moment(filters.until),
              limit: PAGE,
              cursor: pageParam || undefined,
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const filtered = Object.values(filters).some((value) => value !== "");
  const columns: Column<Entry>[] = [
    { key: "at", title: "Time", cell: (row) => dateTime(row.at) },
    {
      key: "who",
      title: "Who",
      wide: true,
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
      cell: (row) => (
        <>
          <Group gap={6}>
            <Badge variant="default" size="sm" tt="none">
              {ACTIONS[row.action] ?? row.action}
            </Badge>
            <strong>{row.subject_name || row.subject_id}</strong>
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
      actions={
        filtered && (
          <Button size="compact-sm" variant="default" onClick={() => change(NO_FILTERS)}>
            Clear the filters
          </Button>
        )
      }
    >
      <List
        label="changes"
        noun="change"
        rows={audit.data?.pages.flatMap((page) => page.items)}
        error={audit.error}
        retry={() => void audit.refetch()}
        columns={columns}
        id={(row) => row.id}
        filters={
          <div className="filters">
            <Select
              label="Kind"
              placeholder="Any"
              clearable
              clearButtonProps={{ "aria-label": "Any kind" }}
              data={choices(KINDS)}
              value={filters.kind || null}
              onChange={(value) => change({ kind: value ?? "" })}
            />
            <Select
              label="Action"
              placeholder="Any"
              clearable
              clearButtonProps={{ "aria-label": "Any action" }}
              data={choices(ACTIONS)}
              value={filters.action || null}
              onChange={(value) => change({ action: value ?? "" })}
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
            <TextInput
              label="Since"
              type="datetime-local"
              value={filters.since}
              onChange={(event) => change({ since: event.currentTarget.value })}
            />
            <TextInput
              label="Until"
              type="datetime-local"
              value={filters.until}
              onChange={(event) => change({ until: event.currentTarget.value })}
            />
          </div>
        }
        empty={
          <Empty
            icon="audit"
            title={filtered ? "Nothing matches these filters" : "No changes yet"}
          />
        }
        more={
          audit.hasNextPage && (
            <Group justify="center" mt="md">
              <Button variant="default" loading={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
                Show older ones
              </Button>
            </Group>
          )
        }
      />
    </Page>
  );
}
