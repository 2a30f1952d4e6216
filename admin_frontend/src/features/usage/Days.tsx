/** The days of a stretch, newest first, each with its models within. */
import { Button, Group, Table, UnstyledButton } from "@mantine/core";
import { Fragment, useState } from "react";
import type { Day } from "../../api/usage";
import { Icon } from "../../parts/Icon";
import { Sorter } from "../../parts/Sorter";
import { Empty } from "../../parts/States";
import { count, dollars, milliseconds, percent } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";

type Counted =
  | "requests"
  | "prompt_tokens"
  | "cached_input_tokens"
  | "completion_tokens"
  | "cost_estimate"
  | "cached_cost_estimate";
/** A model's day is counted without its failures and times. */
type Row = Pick<Day, Counted> & Partial<Pick<Day, "error_rate" | "ttft_p50_ms">>;

interface Figure {
  title: string;
  by: (row: Row) => number;
  show: (row: Row) => string;
}

const FIGURES: readonly Figure[] = [
  { title: "Attempts", by: (row) => row.requests, show: (row) => count(row.requests) },
  { title: "Input tokens", by: (row) => row.prompt_tokens, show: (row) => count(row.prompt_tokens) },
  { title: "Cached", by: (row) => row.cached_input_tokens, show: (row) => count(row.cached_input_tokens) },
  { title: "Output tokens", by: (row) => row.completion_tokens, show: (row) => count(row.completion_tokens) },
  { title: "Cost", by: (row) => row.cost_estimate, show: (row) => dollars(row.cost_estimate) },
  { title: "of it cached", by: (row) => row.cached_cost_estimate, show: (row) => dollars(row.cached_cost_estimate) },
  {
    title: "Failed",
    by: (row) => row.error_rate ?? 0,
    show: (row) => (row.error_rate === undefined ? "" : percent(row.error_rate)),
  },
  {
    title: "First token",
    by: (row) => row.ttft_p50_ms ?? 0,
    show: (row) => (row.ttft_p50_ms === undefined ? "" : milliseconds(row.ttft_p50_ms)),
  },
];
const DAY = "Day";
const NEWEST_FIRST = { figure: DAY, up: "" };
const DAYS_AT_ONCE = 62;

export function Days({ days, estimated }: { days: readonly Day[]; estimated: readonly string[] }) {
  const [{ figure, up }, change] = useAddressState(NEWEST_FIRST);
  const [most, setMost] = useState(DAYS_AT_ONCE);
  const by = FIGURES.find((each) => each.title === figure)?.by;
  const order = <T extends Row>(rows: readonly T[], fall: (a: T, b: T) => number) =>
    [...rows].sort((a, b) => (up ? 1 : -1) * ((by ? by(a) - by(b) : 0) || fall(a, b)));
  const ordered = order(days, (a, b) => a.date.localeCompare(b.date));
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const turn = (date: string) =>
    setFolded((before) => {
      const after = new Set(before);
      if (!after.delete(date)) after.add(date);
      return after;
    });
  if (days.length === 0) {
    return (
      <Empty icon="usage" title="Nothing was used">
        In this stretch of time, with these filters, no request was made.
      </Empty>
    );
  }
  return (
    <section className="scroller" tabIndex={0} aria-label="usage by day">
      <Table className="list">
        <Table.Thead>
          <Table.Tr>
            {[DAY, ...FIGURES.map((each) => each.title)].map((title) => (
              <Sorter
                key={title}
                title={title}
                className={title === DAY ? undefined : "figures"}
                order={title === figure ? (up ? "ascending" : "descending") : undefined}
                turn={() => change({ figure: title, up: title === figure && !up ? "1" : "" })}
              />
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {ordered.slice(0, most).map((day) => (
            <Fragment key={day.date}>
              <Table.Tr>
                <Table.Th scope="row">
                  <UnstyledButton
                    className="sorter"
                    aria-expanded={!folded.has(day.date)}
                    onClick={() => turn(day.date)}
                  >
                    <Icon name={folded.has(day.date) ? "right" : "down"} size={12} />
                    {day.date}
                  </UnstyledButton>
                </Table.Th>
                <Cells row={day} />
              </Table.Tr>
              {!folded.has(day.date) &&
                (by ? order(day.models, () => 0) : day.models).map((model) => (
                  <Table.Tr key={model.virtual_model} className="within">
                    <Table.Th scope="row">
                      {model.virtual_model}
                      {estimated.includes(model.virtual_model) && <abbr title="some tokens are estimates">*</abbr>}
                    </Table.Th>
                    <Cells row={model} />
                  </Table.Tr>
                ))}
            </Fragment>
          ))}
        </Table.Tbody>
      </Table>
      {most < days.length && (
        <Group justify="center" p="sm">
          <Button variant="default" onClick={() => setMost(most + DAYS_AT_ONCE)}>
            Show more: {most} of {count(days.length)} days are shown
          </Button>
        </Group>
      )}
    </section>
  );
}

function Cells({ row }: { row: Row }) {
  return FIGURES.map(({ title, show }) => (
    <Table.Td key={title} className="figures">
      {show(row)}
    </Table.Td>
  ));
}
