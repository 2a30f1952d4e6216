/** A table with its loading, empty and error states, a search and sorting that the address remembers. On a phone each
 * row is a card, and a choice above them sorts. */
import { Button, Group, NativeSelect, Table, Text, TextInput } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { type ReactNode, useState } from "react";
import { useMayChange } from "../signin/rights";
import { Icon } from "./Icon";
import { Sorter } from "./Sorter";
import { Failed, Loading } from "./States";
import { count, plural } from "./formats";
import { useAddressState } from "./useAddressState";

export interface Column<Row> {
  key: string;
  title: string;
  cell: (row: Row) => ReactNode;
  /** What the column is sorted by; absent where that makes no sense. */
  by?: (row: Row) => string | number;
  align?: "right";
  /** Left out on a phone. */
  wide?: boolean;
  /** The row's heading, without its title on a phone. */
  head?: boolean;
  /** Only changes something: viewers do not have it. */
  changes?: boolean;
}

interface Props<Row> {
  label: string;
  rows: readonly Row[] | undefined;
  columns: readonly Column<Row>[];
  id: (row: Row) => string | number;
  /** What the search looks at; absent: no search. */
  words?: (row: Row) => string;
  error?: unknown;
  retry?: () => void;
  /** Shown when there is nothing at all. */
  empty: ReactNode;
  /** Beside the search. */
  filters?: ReactNode;
  /** Under the rows, as a button for more; then only what is there already is sorted. */
  more?: ReactNode;
  /** The rows' order until somebody chooses another: a column's key. */
  sorted?: string;
  noun?: string;
}

const DEFAULTS = { q: "", sort: "", down: "" };
const STEP = 100;
const PHONE = "(max-width: 860px)"; // as in styles.css

export function List<Row>(props: Props<Row>) {
  const { label, rows, columns, id, words, error, retry, empty, filters, more, sorted = "", noun = "row" } = props;
  const [{ q, sort, down }, change] = useAddressState(DEFAULTS);
  const [most, setMost] = useState(STEP);
  const mayChange = useMayChange();
  if (error && !rows) return <Failed error={error} retry={retry} />;
  if (!rows) return <Loading />;
  if (rows.length === 0 && !filters) return <>{empty}</>;
  const wanted = q.trim().toLowerCase();
  const found = wanted && words ? rows.filter((row) => words(row).toLowerCase().includes(wanted)) : rows;
  const visible = columns.filter((column) => mayChange || !column.changes);
  const key = sort || sorted;
  const by = columns.find((column) => column.key === key)?.by;
  const ordered = by ? [...found].sort((a, b) => (down ? -1 : 1) * compare(by(a), by(b))) : found;
  const shown = more === undefined ? ordered.slice(0, most) : ordered;
  const sortBy = (chosen: string, downwards: boolean) => change({ sort: chosen, down: downwards ? "1" : "" });
  return (
    <div>
      {(words || filters) && (
        <Group gap="sm" mb="sm" align="flex-end">
          {words && (
            <TextInput
              className="search"
              type="search"
              aria-label={`Search ${label}`}
              placeholder="Search"
              leftSection={<Icon name="search" size={16} />}
              value={q}
              onChange={(event) => change({ q: event.currentTarget.value })}
            />
          )}
          {filters}
          {words && wanted && (
            <Text size="sm" c="dimmed" role="status">
              {plural(found.length, noun)} of {count(rows.length)}
            </Text>
          )}
        </Group>
      )}
      {error !== undefined && error !== null && <Failed error={error} retry={retry} />}
      {rows.length === 0 ? (
        empty
      ) : found.length === 0 ? (
        <Text c="dimmed" p="md">
          Nothing matches “{q}”.
        </Text>
      ) : (
        <>
          <PhoneSort columns={visible} current={key} down={down !== ""} sortBy={sortBy} />
          <section className="scroller" tabIndex={0} aria-label={label}>
            {/* the roles are said, as cards are no table to the browser */}
            <Table highlightOnHover verticalSpacing="sm" className="list cards-on-phone" role="table">
              <Table.Thead role="rowgroup">
                <Table.Tr role="row">
                  {visible.map((column) => (
                    <Sorter
                      key={column.key}
                      title={column.title}
                      className={classes(column)}
                      order={column.key === key && column.by ? (down ? "descending" : "ascending") : undefined}
                      turn={column.by && ((downwards) => sortBy(column.key, downwards))}
                    />
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody role="rowgroup">
                {shown.map((row) => (
                  <Table.Tr key={id(row)} role="row">
                    {visible.map((column) => (
                      <Table.Td key={column.key} className={classes(column)} role="cell" data-title={column.title}>
                        <div>{column.cell(row)}</div>
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </section>
        </>
      )}
      {shown.length < ordered.length && (
        <Group justify="center" mt="md">
          <Button variant="default" onClick={() => setMost(most + STEP)}>
            Show more: {count(shown.length)} of {count(ordered.length)} are shown
          </Button>
        </Group>
      )}
      {more && by && sort !== "" && (
        <Text size="xs" c="dimmed" mt="xs">
          Sorted are the {plural(shown.length, noun)} that are loaded.
        </Text>
      )}
      {more}
    </div>
  );
}

interface PhoneSortProps<Row> {
  columns: readonly Column<Row>[];
  current: string;
  down: boolean;
  sortBy: (key: string, down: boolean) => void;
}

function PhoneSort<Row>({ columns, current, down, sortBy }: PhoneSortProps<Row>) {
  const onPhone = useMediaQuery(PHONE, undefined, { getInitialValueInEffect: false });
  const choices = columns.filter((column) => column.by).map(({ key, title }) => ({ value: key, label: title }));
  if (!onPhone || choices.length < 2) return null;
  return (
    <Group gap="xs" mb="sm" wrap="nowrap">
      <NativeSelect
        aria-label="Sort by"
        data={[{ value: "", label: "Sort by …", disabled: true }, ...choices]}
        value={choices.some((each) => each.value === current) ? current : ""}
        onChange={(event) => sortBy(event.currentTarget.value, false)}
      />
      <Button variant="default" disabled={!current} onClick={() => sortBy(current, !down)}>
        {down ? "Downwards" : "Upwards"}
      </Button>
    </Group>
  );
}

function classes<Row>(column: Column<Row>): string {
  return [column.align === "right" && "figures", column.wide && "wide", column.head && "head"].filter(Boolean).join(" ");
}

function compare(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number"
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });
}
