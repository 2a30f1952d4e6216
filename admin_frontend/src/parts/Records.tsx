/** What lists of records share: a page after the other by the server's cursor, and the stretch of time they are of. */
import { Button, Group } from "@mantine/core";
import { type QueryKey, keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Moment } from "./Moment";

export const PAGE = 50;

interface Page<Row> {
  items: Row[];
  next_cursor: string | null;
}

type Read<Row> = (cursor: string | undefined, signal: AbortSignal) => Promise<Page<Row>>;

/** `everyMs`: what is new comes by itself, while only the first page is shown: what is further back does not change. */
export function useRecords<Row>(key: QueryKey, read: Read<Row>, everyMs?: number) {
  const records = useInfiniteQuery({
    queryKey: key,
    initialPageParam: "",
    placeholderData: keepPreviousData,
    queryFn: ({ signal, pageParam }) => read(pageParam || undefined, signal),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: (query) => (everyMs && query.state.data?.pages.length === 1 ? everyMs : false),
  });
  return {
    rows: records.data?.pages.flatMap((page) => page.items),
    error: records.error,
    retry: () => void records.refetch(),
    more: records.hasNextPage && (
      <Group justify="center" mt="md">
        <Button variant="default" loading={records.isFetchingNextPage} onClick={() => void records.fetchNextPage()}>
          Show older ones
        </Button>
      </Group>
    ),
  };
}

interface Stretch {
  /** Seconds since 1970, as an address has them; empty: without end. */
  since: string;
  until: string;
}

export function Period({ since, until, change }: Stretch & { change: (part: Partial<Stretch>) => void }) {
  return (
    <>
      <Moment label="Since" value={secondsIn(since)} onChange={(at) => change({ since: at?.toString() ?? "" })} />
      <Moment label="Until" value={secondsIn(until)} onChange={(at) => change({ until: at?.toString() ?? "" })} />
    </>
  );
}

const secondsIn = (text: string): number | undefined => (/^\d{1,12}$/.test(text) ? Number(text) : undefined);

export function ClearFilters({ shown, clear }: { shown: boolean; clear: () => void }) {
  return (
    shown && (
      <Button size="compact-sm" variant="default" onClick={clear}>
        Clear the filters
      </Button>
    )
  );
}
