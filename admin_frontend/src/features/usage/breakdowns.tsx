/** The same figures by virtual model, by endpoint and by key. */
import { Anchor, Text } from "@mantine/core";
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Schemas } from "../../api/client";
import { type Stretch, byEndpointQuery, byKeyQuery, byModelQuery } from "../../api/usage";
import { type Column, List } from "../../parts/List";
import { Empty } from "../../parts/States";
import { count, dollars, milliseconds, percent } from "../../parts/formats";

type Figures = Omit<Schemas["ModelFigures"], "virtual_model">;

function figures<Row extends Figures>(): Column<Row>[] {
  const column = (
    key: string,
    title: string,
    by: (row: Row) => number,
    show: (row: Row) => string,
    wide = false,
  ): Column<Row> => ({ key, title, align: "right", by: (row) => -by(row), cell: show, wide });
  return [
    column("requests", "Requests", (row) => row.client_request_count, (row) => count(row.client_request_count)),
    column("in", "Input tokens", (row) => row.prompt_tokens, (row) => count(row.prompt_tokens), true),
    column("cached", "Cached", (row) => row.cached_input_tokens, (row) => count(row.cached_input_tokens), true),
    column("out", "Output tokens", (row) => row.completion_tokens, (row) => count(row.completion_tokens), true),
    column("cost", "Cost", (row) => row.cost_estimate, (row) => dollars(row.cost_estimate)),
    column("failed", "Failed", (row) => row.error_rate, (row) => percent(row.error_rate)),
    column("ttft", "First token", (row) => row.ttft_p50_ms ?? 0, (row) => milliseconds(row.ttft_p50_ms), true),
    column("p95", "95 % within", (row) => row.ttft_p95_ms ?? 0, (row) => milliseconds(row.ttft_p95_ms), true),
  ];
}

interface TableProps<Row extends Figures> {
  label: string;
  query: UseQueryResult<Row[]>;
  name: (row: Row) => string;
  link?: (row: Row) => ReactNode;
  id: (row: Row) => string | number;
}

function Breakdown<Row extends Figures>({ label, query, name, link, id }: TableProps<Row>) {
  return (
    <List
      label={`usage by ${label}`}
      noun={label}
      rows={query.data}
      error={query.error}
      retry={() => void query.refetch()}
      columns={[
        {
          key: "name",
          title: label[0]?.toUpperCase() + label.slice(1),
          by: (row) => name(row).toLowerCase(),
          cell: (row) => <strong>{link ? link(row) : name(row)}</strong>,
        },
        ...figures<Row>(),
      ]}
      id={id}
      words={name}
      empty={
        <Empty icon="usage" title="Nothing was used">
          In this stretch of time, with these filters, no request was made.
        </Empty>
      }
    />
  );
}

export function ByModel({ stretch }: { stretch: Stretch }) {
  const query = useQuery(byModelQuery(stretch));
  return (
    <Breakdown
      label="model"
      query={query}
      name={(row) => row.virtual_model}
      id={(row) => row.virtual_model}
    />
  );
}

export function ByEndpoint({ stretch }: { stretch: Stretch }) {
  const query = useQuery(byEndpointQuery(stretch));
  const unfiltered = stretch.virtual_model || stretch.key_id;
  return (
    <>
      {unfiltered && (
        <Text size="sm" c="dimmed" mb="sm">
          Endpoints are counted over all models and keys: those filters do not hold here.
        </Text>
      )}
      <Breakdown label="endpoint" query={query} name={(row) => row.endpoint_name} id={(row) => row.endpoint_id} />
    </>
  );
}

export function ByKey({ stretch }: { stretch: Stretch }) {
  const query = useQuery(byKeyQuery(stretch));
  return (
    <Breakdown
      label="key"
      query={query}
      name={(row) => row.label ?? (row.key_id || "without a key")}
      link={(row) =>
        row.key_id ? (
          <Anchor component={Link} to={`/api-keys/${row.key_id}`} size="sm">
            {row.label ?? row.key_id}
          </Anchor>
        ) : (
          "without a key"
        )
      }
      id={(row) => row.key_id || "-"}
    />
  );
}
