/** What the gateway does, newest first, as it happens. */
import { Anchor, Badge, Button, Group, Select, Switch, Text, TextInput } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import { apiKeysQuery, endpointsQuery, virtualModelsQuery } from "../../api/queries";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { Dot } from "../../parts/Seen";
import { Empty } from "../../parts/States";
import { dateTime, dollars, milliseconds, shortCount, timeOfDay } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";
import { NO_FILTERS, STATUSES, queryOf } from "./filters";
import { kindOf, nameOf } from "./outcome";

type Row = Schemas["Activity"];

const PAGE = 50;
const LIVE_MS = 3_000;

export function Activity() {
  const [filters, change] = useAddressState(NO_FILTERS);
  const [live, setLive] = useState(true);
  const models = useQuery(virtualModelsQuery);
  const endpoints = useQuery(endpointsQuery);
  const keys = useQuery(apiKeysQuery);
  const labels = new Map(keys.data?.map((each) => [each.id, each.label]));
  const activity = useInfiniteQuery({
    queryKey: ["activity", filters],
    initialPageParam: "",
    placeholderData: keepPreviousData,
    queryFn: ({ signal, pageParam }) =>
      ask(
        api.GET("/api/admin/activity", {
          params: { query: { ...queryOf(filters), limit: PAGE, cursor: pageParam || undefined } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // what is further back does not change: live is the first page alone
    refetchInterval: (query) => (live && query.state.data?.pages.length === 1 ? LIVE_MS : false),
  });
  const rows = activity.data?.pages.flatMap((page) => page.items);
  const filtered = Object.values(filters).some((value) => value !== "");

  const columns: Column<Row>[] = [
    {
      key: "time",
      title: "Time",
      cell: (row) => (
        <Anchor component={Link} to={placeOf(row)} size="sm" className="nowrap" title={dateTime(row.created_at)}>
          {timeOfDay(row.created_at)}
        </Anchor>
      ),
    },
    {
      key: "outcome",
      title: "Outcome",
      cell: (row) => (
        <Group gap={6} wrap="nowrap">
          <Dot kind={kindOf(row.outcome)} text={nameOf(row.outcome)} />
          <Text component="span" size="xs" c="dimmed">
            {row.status_code}
          </Text>
        </Group>
      ),
    },
    {
      key: "model",
      title: "Model",
      cell: (row) => (
        <>
          <strong>{row.virtual_model}</strong>
          {row.attempt > 1 && (
            <Badge size="xs" variant="default" ml={6} tt="none" miw="max-content">
              attempt {row.attempt}
            </Badge>
          )}
          <Text size="xs" c="dimmed">
            {row.endpoint_name} › {row.actual_model}
          </Text>
        </>
      ),
    },
    {
      key: "client",
      title: "Client",
      wide: true,
      cell: (row) => (
        <>
          {row.key_id ? (labels.get(row.key_id) ?? row.key_id) : <Text c="dimmed" size="sm" span>no key</Text>}
          <Text size="xs" c="dimmed" className="clamped">
            {[row.client_address, row.user_agent].filter(Boolean).join(" · ")}
          </Text>
        </>
      ),
    },
    {
      key: "route",
      title: "Route",
      wide: true,
      cell: (row) => (
        <>
          <span className="mono small">{row.path ?? row.protocol}</span>
          <Text size="xs" c="dimmed">
            {row.stream ? "streamed" : "whole"}
          </Text>
        </>
      ),
    },
    {
      key: "tokens",
      title: "Tokens in / out",
      align: "right",
      wide: true,
      cell: (row) => (
        <>
          {shortCount(inputOf(row))} / {shortCount(row.output_tokens)}
          {row.usage_source === "estimated" && <abbr title="an estimate: the backend reported none">*</abbr>}
        </>
      ),
    },
    { key: "cost", title: "Cost", align: "right", wide: true, cell: (row) => dollars(row.cost) },
    {
      key: "latency",
      title: "First / whole",
      align: "right",
      wide: true,
      cell: (row) => (
        <>
          {milliseconds(row.time_to_first_token_ms)} / {milliseconds(row.response_time_ms)}
        </>
      ),
    },
  ];

  return (
    <Page
      title="Activity"
      lead="Every attempt at a backend, without what was asked or answered: that is never stored."
      actions={
        <>
          {filtered && (
            <Button size="compact-sm" variant="default" onClick={() => change(NO_FILTERS)}>
              Clear the filters
            </Button>
          )}
          <Switch label="Live" checked={live} onChange={(event) => setLive(event.currentTarget.checked)} />
        </>
      }
    >
      <List
        label="activity"
        rows={rows}
        error={activity.error}
        retry={() => void activity.refetch()}
        columns={columns}
        id={(row) => row.id}
        filters={
          <div className="filters">
            <Select
              label="Outcome"
              placeholder="Any"
              clearable
              clearButtonProps={{ "aria-label": "Any outcome" }}
              data={STATUSES}
              value={filters.status || null}
              onChange={(value) => change({ status: value ?? "" })}
            />
            <Select
              label="Virtual model"
              placeholder="Any"
              clearable
              searchable
              clearButtonProps={{ "aria-label": "Any virtual model" }}
              data={withCurrent(models.data?.map((each) => ({ value: each.name, label: each.name })), filters.model)}
              value={filters.model || null}
              onChange={(value) => change({ model: value ?? "" })}
            />
            <Select
              label="Endpoint"
              placeholder="Any"
              clearable
              searchable
              clearButtonProps={{ "aria-label": "Any endpoint" }}
              data={withCurrent(endpoints.data?.map((each) => ({ value: each.name, label: each.name })), filters.endpoint)}
              value={filters.endpoint || null}
              onChange={(value) => change({ endpoint: value ?? "" })}
            />
            <Select
              label="Key"
              placeholder="Any"
              clearable
              searchable
              clearButtonProps={{ "aria-label": "Any key" }}
              data={withCurrent(keys.data?.map((each) => ({ value: each.id, label: each.label })), filters.key_id)}
              value={filters.key_id || null}
              onChange={(value) => change({ key_id: value ?? "" })}
            />
            <TextInput
              label="Route"
              placeholder="/v1/…"
              value={filters.path}
              onChange={(event) => change({ path: event.currentTarget.value })}
            />
            <TextInput
              label="Address"
              placeholder="127.0."
              value={filters.client}
              onChange={(event) => change({ client: event.currentTarget.value })}
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
            icon="activity"
            title={filtered ? "Nothing matches these filters" : "Nothing yet"}
            action={
              !filtered && (
                <Button component={Link} to="/playground">
                  Ask a model
                </Button>
              )
            }
          >
            {filtered ? "" : "As soon as a client asks for something, it is here."}
          </Empty>
        }
        more={
          activity.hasNextPage && (
            <Group justify="center" mt="md">
              <Button
                variant="default"
                loading={activity.isFetchingNextPage}
                onClick={() => void activity.fetchNextPage()}
              >
                Show older ones
              </Button>
            </Group>
          )
        }
      />
    </Page>
  );
}

const inputOf = (row: Row): number =>
  row.input_tokens + row.cache_read_tokens + row.cache_write_5m_tokens + row.cache_write_1h_tokens;

const placeOf = (row: Row): string =>
  `/activity/${encodeURIComponent(row.request_id)}?at=${Math.floor(row.created_at)}`;

/** A filter from a link may name what is not in the list any more. */
function withCurrent(choices: { value: string; label: string }[] | undefined, current: string) {
  const known = choices ?? [];
  return !current || known.some((each) => each.value === current)
    ? known
    : [...known, { value: current, label: current }];
}
