/** What a virtual model cost since when: old usage keeps the prices of its time. */
import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { Failed } from "../../parts/States";
import { dateTime, dollars } from "../../parts/formats";
import { PRICES } from "./values";

export function PriceHistory({ id, version }: { id: number; version: number }) {
  const history = useQuery({
    queryKey: ["virtual-models", id, "prices", version],
    queryFn: ({ signal }) =>
      ask(api.GET("/api/admin/virtual-models/{id}/prices", { params: { path: { id } }, signal })),
  });
  if (history.error) return <Failed error={history.error} retry={() => void history.refetch()} />;
  if (!history.data || history.data.items.length === 0) return null;
  return (
    <details className="more">
      <summary>History of prices ({history.data.count})</summary>
      <section className="scroller" tabIndex={0} aria-label="history of prices">
        <Table className="list">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Since</Table.Th>
              {PRICES.map(([field, label]) => (
                <Table.Th key={field} scope="col" className="figures">
                  {label}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {history.data.items.map((each) => (
              <Table.Tr key={`${each.since} ${each.version}`}>
                <Table.Td>{dateTime(each.since)}</Table.Td>
                {PRICES.map(([field]) => (
                  <Table.Td key={field} className="figures">
                    {dollars(each[field])}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
      <Text size="xs" c="dimmed">
        Each request was charged by the row that held when it was made.
      </Text>
    </details>
  );
}
