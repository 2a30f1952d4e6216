/** A page of one thing: while it is read, when it could not be, and then the thing. */
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Page } from "./Page";
import { Failed, Loading } from "./States";

interface Props<T> {
  query: UseQueryResult<T>;
  title: string;
  back: { to: string; label: string };
  children: (thing: T) => ReactNode;
}

export function Awaited<T>({ query, title, back, children }: Props<T>) {
  if (query.data !== undefined && !query.error) return children(query.data);
  return (
    <Page title={title} back={back}>
      {query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : <Loading />}
    </Page>
  );
}
