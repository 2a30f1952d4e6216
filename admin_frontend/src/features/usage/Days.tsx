/** The days of a stretch, newest first, each with its models within. */
import { Table, UnstyledButton } from "@mantine/core";
import { Fragment, useState } from "react";
import type { Day } from "../../api/usage";
import { Icon } from "../../parts/Icon";
import { Empty } from "../../parts/States";
import { count, dollars, milliseconds, percent } from "../../parts/formats";

type Counted =
  | "requests"
  | "prompt_tokens"
  | "cached_input_tokens"
  | "completion_tokens"
  | "cost_estimate"
  | "cached_cost_estimate";
/** A model's day is counted without its failures and times. */
type Row = Pick<Day, Counted> & Partial<Pick<Day, "error_rate" | "ttft_p50_ms">>;

const HEADS = ["Attempts", "Input tokens", "Cached", "Output tokens", "Cost", "of it cached", "Failed", "First token"];

export function Days({ days, estimated }: { days: readonly Day[]; estimated: readonly string[] }) {
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
            <Table.Th scope="col">Day</Table.Th>
            {HEADS.map((head) => (
              <Table.Th key={head} scope="col" className="figures">
                {head}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {[...days].reverse().map((day) => (
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
                day.models.map((model) => (
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
    </section>
  );
}

function Cells({ row }: { row: Row }) {
  const cells = [
    count(row.requests),
    count(row.prompt_tokens),
    count(row.cached_input_tokens),
    count(row.completion_tokens),
    dollars(row.cost_estimate),
    dollars(row.cached_cost_estimate),
    row.error_rate === undefined ? "" : percent(row.error_rate),
    row.ttft_p50_ms === undefined ? "" : milliseconds(row.ttft_p50_ms),
  ];
  return cells.map((cell, index) => (
    <Table.Td key={HEADS[index]} className="figures">
      {cell}
    </Table.Td>
  ));
}
