/** Usage over a stretch of time, read page by page to its end. */
import { queryOptions } from "@tanstack/react-query";
import { zone } from "../parts/formats";
import { type Schemas, api, ask } from "./client";

export interface Stretch {
  /** Seconds since 1970. */
  start_date: number;
  end_date: number;
  virtual_model?: string;
  key_id?: string;
  request_type?: string;
}

export type Summary = Schemas["Summary"];
export type Day = Schemas["Day"];
export type Hour = Schemas["Hour"];

const MOST_PAGES = 24;

const asked = (wanted: Stretch) => ({ ...wanted, timezone: zone() });

async function all<P extends { next_cursor: string | null }>(read: (cursor?: string) => Promise<P>): Promise<P[]> {
  const pages: P[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    pages.push(page);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && pages.length < MOST_PAGES);
  return pages;
}

export const usageQuery = (wanted: Stretch) =>
  queryOptions({
    queryKey: ["usage", "days", wanted],
    queryFn: async ({ signal }) => {
      const pages = await all((cursor) =>
        ask(api.GET("/api/admin/usage", { params: { query: { ...asked(wanted), limit: 366, cursor } }, signal })),
      );
      return {
        summary: pages[0]?.summary as Summary,
        days: pages.flatMap((page) => page.daily_breakdown),
        estimated: [...new Set(pages.flatMap((page) => page.estimated_models))],
      };
    },
  });

export const hoursQuery = (wanted: Stretch) =>
  queryOptions({
    queryKey: ["usage", "hours", wanted],
    queryFn: async ({ signal }) => {
      const pages = await all((cursor) =>
        ask(api.GET("/api/admin/usage/by_hour", { params: { query: { ...asked(wanted), limit: 744, cursor } }, signal })),
      );
      return pages.flatMap((page) => page.items);
    },
  });

export const byModelQuery = (wanted: Stretch) =>
  queryOptions({
    queryKey: ["usage", "models", wanted],
    queryFn: ({ signal }) => ask(api.GET("/api/admin/usage/by_model", { params: { query: asked(wanted) }, signal })),
  });

export const byEndpointQuery = ({ virtual_model: _, key_id: __, ...wanted }: Stretch) =>
  queryOptions({
    queryKey: ["usage", "endpoints", wanted],
    queryFn: ({ signal }) => ask(api.GET("/api/admin/usage/by_endpoint", { params: { query: asked(wanted) }, signal })),
  });

export const byKeyQuery = (wanted: Stretch) =>
  queryOptions({
    queryKey: ["usage", "keys", wanted],
    queryFn: async ({ signal }) => {
      const pages = await all((cursor) =>
        ask(api.GET("/api/admin/usage/by_key", { params: { query: { ...asked(wanted), limit: 1_000, cursor } }, signal })),
      );
      return pages.flatMap((page) => page.items);
    },
  });

/** What a line of the CSV is for. */
export type Grain = NonNullable<Schemas["Export"]["by"]>;

export async function exportUsage(wanted: Stretch, by: Grain): Promise<Blob> {
  const { request_type, ...others } = wanted;
  return (await ask(
    api.POST("/api/admin/usage/export", {
      body: { ...others, request_type: request_type as Schemas["Export"]["request_type"], timezone: zone(), by },
      parseAs: "blob",
    }) as Promise<{ data?: unknown; error?: unknown; response: Response }>,
  )) as Blob;
}
