/** What the gateway does, newest first, as it happens. */
import { Anchor, Badge, Button, Group, NumberInput, Switch, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import { apiKeysQuery, endpointsQuery, virtualModelsQuery } from "../../api/queries";
import { Choice, named } from "../../parts/Choice";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { ClearFilters, PAGE, Period, useRecords } from "../../parts/Records";
import { Dot } from "../../parts/Seen";
import { Empty } from "../../parts/States";
import { dateTime, dollars, milliseconds, shortCount, timeOfDay } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";
import { NO_FILTERS, STATUSES, queryOf } from "./filters";
import { kindOf, nameOf } from "./outcome";

type Row = Schemas["Activity"];

const LIVE_MS = 3_000;

export function Activity() {
  const [filters, change] = useAddressState(NO_FILTERS);
  const [live, setLive] = useState(true);
  const keys = useQuery(apiKeysQuery);
  const labels = new Map(keys.data?.map((each) => [each.id, each.label]));
  const records = useRecords(
    ["activity", filters],
    (cursor, signal) =>
      ask(api.GET("/api/admin/activity", { params: { query: { ...queryOf(filters), limit: PAGE, cursor } }, signal })),
    live ? LIVE_MS : undefined,
  );
  const filtered = Object.values(filters).some((value) => value !== "");

  const columns: Column<Row>[] = [
    {
      key: "time",
      title: "Time",
      head: true,
      by: (row) => -row.created_at,
      cell: (row) => (
        <Anchor component={Link} to={placeOf(row)} size="sm" className="nowrap" title={dateTime(row.created_at)}>
          {timeOfDay(row.created_at)}
        </Anchor>
      ),
    },
    {
      key: "outcome",
      title: "Outcome",
      by: (row) => nameOf(row.outcome),
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
      by: (row) => row.virtual_model.toLowerCase(),
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
      by: (row) => labels.get(row.key_id ?? "") ?? "",
      wide: true,
      cell: (row) => (
        <>
          <span className="clamped one">
            {row.key_id ? (labels.get(row.key_id) ?? row.key_id) : <Text c="dimmed" size="sm" span>no key</Text>}
          </span>
          <Text size="xs" c="dimmed" className="clamped one">
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
          <span className="mono small nowrap">{row.path ?? row.protocol}</span>
          <Text size="xs" c="dimmed">
            {row.stream ? "streamed" : "whole"}
          </Text>
        </>
      ),
    },
    {
      key: "tokens",
      title: "Tokens in / out",
      by: (row) => -(inputOf(row) + row.output_tokens),
      align: "right",
      wide: true,
      cell: (row) => (
        <>
          {shortCount(inputOf(row))} / {shortCount(row.output_tokens)}
          {row.usage_source === "estimated" && <abbr title="an estimate: the backend reported none">*</abbr>}
        </>
      ),
    },
    { key: "cost", title: "Cost", align: "right", by: (row) => -Number(row.cost ?? -1), cell: (row) => dollars(row.cost) },
    {
      key: "latency",
      title: "First / whole",
      by: (row) => -(row.response_time_ms ?? 0),
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
          <ClearFilters shown={filtered} clear={() => change(NO_FILTERS)} />
          <Switch label="Live" checked={live} onChange={(event) => setLive(event.currentTarget.checked)} />
        </>
      }
    >
      <List
        label="activity"
        noun="attempt"
        rows={records.rows}
        error={records.error}
        retry={records.retry}
        columns={columns}
        id={(row) => row.id}
        filters={<ActivityFilters filters={filters} change={change} />}
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
        more={records.more}
      />
    </Page>
  );
}

interface FiltersProps {
  filters: typeof NO_FILTERS;
  change: (part: Partial<typeof NO_FILTERS>) => void;
}

function ActivityFilters({ filters, change }: FiltersProps) {
  const models = useQuery(virtualModelsQuery);
  const endpoints = useQuery(endpointsQuery);
  const keys = useQuery(apiKeysQuery);
  const text = (name: keyof typeof NO_FILTERS, label: string, placeholder: string) => (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={filters[name]}
      onChange={(event) => change({ [name]: event.currentTarget.value })}
      spellCheck={false}
    />
  );
  const chosen = (name: keyof typeof NO_FILTERS) => ({
    value: filters[name],
    onChange: (value: string) => change({ [name]: value }),
  });
  return (
    <div className="filters">
      <Choice label="Outcome" choices={STATUSES} {...chosen("status")} />
      <Choice label="Virtual model" choices={named(models.data?.map((each) => each.name))} {...chosen("model")} />
      <Choice label="Endpoint" choices={named(endpoints.data?.map((each) => each.name))} {...chosen("endpoint")} />
      <Choice
        label="Key"
        choices={keys.data?.map((each) => ({ value: each.id, label: each.label }))}
        {...chosen("key_id")}
      />
      {text("path", "Route", "/v1/…")}
      {text("client", "Address", "127.0.")}
      {text("request_id", "Request", "its whole id")}
      <NumberInput
        label="Cost at least"
        placeholder="$0.01"
        prefix="$"
        min={0}
        hideControls
        value={filters.least_cost}
        onChange={(value) => change({ least_cost: String(value) })}
      />
      <Period since={filters.since} until={filters.until} change={change} />
    </div>
  );
}

const inputOf = (row: Row): number =>
  row.input_tokens + row.cache_read_tokens + row.cache_write_5m_tokens + row.cache_write_1h_tokens;

const placeOf = (row: Row): string =>
  `/activity/${encodeURIComponent(row.request_id)}?at=${Math.floor(row.created_at)}`;
