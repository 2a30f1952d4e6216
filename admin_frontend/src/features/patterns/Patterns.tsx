/** One list of what finds tool calls in text: the built-in formats and the administrators' own patterns. */
import { ActionIcon, Anchor, Button, SegmentedControl, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, ask } from "../../api/client";
import { type ToolPattern, patternsQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { type Column, List } from "../../parts/List";
import { Page } from "../../parts/Page";
import { Empty } from "../../parts/States";
import { Toggle } from "../../parts/Toggle";
import { useAddressState } from "../../parts/useAddressState";
import { Changing } from "../../signin/rights";
import { DeletePattern } from "./DeletePattern";

const DEFAULTS = { which: "all" };
const WHICH = [
  { value: "all", label: "All" },
  { value: "regex", label: "Patterns" },
  { value: "builtin", label: "Built in" },
];

export function Patterns() {
  const patterns = useQuery(patternsQuery);
  const [{ which }, change] = useAddressState(DEFAULTS);
  const [doomed, setDoomed] = useState<ToolPattern>();
  const rows = patterns.data?.filter((row) => which === "all" || row.engine === which);

  const columns: Column<ToolPattern>[] = [
    {
      key: "name",
      title: "Name",
      head: true,
      by: (row) => row.pattern_name.toLowerCase(),
      cell: (row) => (
        <Anchor component={Link} to={`/patterns/${encodeURIComponent(row.id)}`} fw={600} size="sm">
          {row.pattern_name}
        </Anchor>
      ),
    },
    {
      key: "type",
      title: "Type",
      by: (row) => row.pattern_type,
      cell: (row) =>
        row.engine === "builtin" ? (
          <Text size="sm" c="dimmed" className="nowrap">
            built in
          </Text>
        ) : (
          row.pattern_type
        ),
    },
    {
      key: "what",
      title: "What it finds",
      cell: (row) => (
        <>
          <span className={row.regex_pattern ? "mono clamped" : "clamped"}>{row.regex_pattern ?? row.notes}</span>
          {row.warnings.map((each) => (
            <Text key={each} size="xs" c="var(--bad)">
              {each}
            </Text>
          ))}
        </>
      ),
    },
    {
      key: "priority",
      title: "Priority",
      align: "right",
      wide: true,
      by: (row) => -row.priority,
      cell: (row) => (row.engine === "builtin" ? "first" : row.priority),
    },
    {
      key: "enabled",
      title: "Enabled",
      by: (row) => (row.enabled ? 0 : 1),
      cell: (row) => (
        <Toggle
          name={row.pattern_name}
          enabled={row.enabled}
          stale={["tool-patterns"]}
          change={(enabled) =>
            ask(
              api.PUT("/api/admin/tool-patterns/{id}", { params: { path: { id: String(row.id) } }, body: { enabled } }),
            )
          }
        />
      ),
    },
    {
      key: "actions",
      title: "Actions",
      changes: true,
      cell: (row) =>
        row.engine === "regex" && (
          <ActionIcon variant="default" aria-label={`Delete ${row.pattern_name}`} onClick={() => setDoomed(row)}>
            <Icon name="trash" size={16} />
          </ActionIcon>
        ),
    },
  ];
  const add = (
    <Changing>
      <Button component={Link} to="/patterns/new" leftSection={<Icon name="add" size={16} />}>
        Add pattern
      </Button>
    </Changing>
  );
  return (
    <Page
      title="Patterns"
      lead="They find the tool calls that models write into their text, for requests that declare tools."
      actions={add}
    >
      <List
        label="patterns"
        noun="pattern"
        rows={rows}
        error={patterns.error}
        retry={() => void patterns.refetch()}
        columns={columns}
        id={(row) => row.id}
        words={(row) => `${row.pattern_name} ${row.pattern_type} ${row.regex_pattern ?? ""} ${row.notes ?? ""}`}
        filters={
          <SegmentedControl
            aria-label="Which patterns"
            data={WHICH}
            value={which}
            onChange={(value) => change({ which: value })}
          />
        }
        empty={
          <Empty icon="patterns" title="No patterns of your own" action={add}>
            The built-in formats cover what is known. A pattern of your own is for a model that writes calls in yet
            another way.
          </Empty>
        }
      />
      {doomed && <DeletePattern pattern={doomed} onClose={() => setDoomed(undefined)} />}
    </Page>
  );
}
