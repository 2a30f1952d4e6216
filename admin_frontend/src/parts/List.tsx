/** A table with its loading, empty and error states, a search and sorting that the address remembers. */
import { Group, Table, Text, TextInput, UnstyledButton } from "@mantine/core";
import type { ReactNode } from "react";
import { Icon } from "./Icon";
import { Failed, Loading } from "./States";
import { plural } from "./formats";
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
  /** Under the rows, as a button for more. */
  more?: ReactNode;
  /** The rows' order until somebody chooses another: a column's key. */
  sorted?: string;
  noun?: string;
}

const DEFAULTS = { q: "", sort: "", down: "" };

export function List<Row>(props: Props<Row>) {
  const { label, rows, columns, id, words, error, retry, empty, filters, more, sorted = "", noun = "row" } = props;
  const [{ q, sort, down }, change] = useAddressState(DEFAULTS);
  if (error && !rows) return <Failed error={error} retry={retry} />;
  if (!rows) return <Loading />;
  if (rows.length === 0 && !filters) return <>{empty}</>;
  const wanted = q.trim().toLowerCase();
  const found = wanted && words ? rows.filter((row) => words(row).toLowerCase().includes(wanted)) : rows;
  const by = columns.find((column) => column.key === (sort || sorted))?.by;
  const shown = by ? [...found].sort((a, b) => (down ? -1 : 1) * compare(by(a), by(b))) : found;
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
              {plural(shown.length, noun)} of {rows.length}
            </Text>
          )}
        </Group>
      )}
      {error !== undefined && error !== null && <Failed error={error} retry={retry} />}
      {rows.length === 0 ? (
        empty
      ) : shown.length === 0 ? (
        <Text c="dimmed" p="md">
          Nothing matches “{q}”.
        </Text>
      ) : (
        <section className="scroller" tabIndex={0} aria-label={label}>
          <Table highlightOnHover verticalSpacing="sm" className="list">
            <Table.Thead>
              <Table.Tr>
                {columns.map((column) => {
                  const current = column.key === (sort || sorted);
                  return (
                    <Table.Th
                      key={column.key}
                      className={classes(column)}
                      scope="col"
                      aria-sort={current && column.by ? (down ? "descending" : "ascending") : undefined}
                    >
                      {column.by ? (
                        <UnstyledButton
                          className="sorter"
                          onClick={() => change({ sort: column.key, down: current && !down ? "1" : "" })}
                        >
                          {column.title}
                          {current && <Icon name={down ? "down" : "up"} size={12} />}
                        </UnstyledButton>
                      ) : (
                        column.title
                      )}
                    </Table.Th>
                  );
                })}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((row) => (
                <Table.Tr key={id(row)}>
                  {columns.map((column) => (
                    <Table.Td key={column.key} className={classes(column)}>
                      {column.cell(row)}
                    </Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      )}
      {more}
    </div>
  );
}

function classes<Row>(column: Column<Row>): string {
  return [column.align === "right" ? "figures" : "", column.wide ? "wide" : ""].filter(Boolean).join(" ");
}

function compare(a: string | number, b: string | number): number {
  return typeof a === "number" && typeof b === "number"
    ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });
}
