/** What several pages read, each under one key. */
import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, ask } from "./client";

export type Endpoint = Schemas["EndpointRow"];
export type VirtualModel = Schemas["VirtualModelRow"];
export type ApiKey = Schemas["ApiKey"];
export type ToolPattern = Schemas["ToolPatternRow"];

export const endpointsQuery = queryOptions({
  queryKey: ["endpoints"],
  queryFn: ({ signal }) => ask(api.GET("/api/admin/endpoints", { signal })),
});

export const virtualModelsQuery = queryOptions({
  queryKey: ["virtual-models"],
  queryFn: ({ signal }) => ask(api.GET("/api/admin/virtual-models", { signal })),
});

export const apiKeysQuery = queryOptions({
  queryKey: ["api-keys"],
  queryFn: async ({ signal }) => (await ask(api.GET("/api/admin/api-keys", { signal }))).items,
});

export const patternsQuery = queryOptions({
  queryKey: ["tool-patterns"],
  queryFn: ({ signal }) => ask(api.GET("/api/admin/tool-patterns", { signal })),
});

/** One thing that a form shows: it is not changed under somebody's hands, and saving finds conflicts. */
export const oneOf = <T>(list: string, id: string, queryFn: (context: { signal: AbortSignal }) => Promise<T>) =>
  queryOptions({ queryKey: [list, id], queryFn, staleTime: Number.POSITIVE_INFINITY, gcTime: 0 });

/** How the gateway last saw an endpoint; `/health` is no admin route and not in its document. */
export interface Sighting {
  name: string;
  healthy: boolean | null;
  last_seen: number | null;
  error: string | null;
}

export interface Health {
  status: string;
  store: { ok: boolean; latency_ms?: number; error?: string };
  endpoints: Sighting[];
}

export const healthQuery = queryOptions({
  queryKey: ["health"],
  refetchInterval: 15_000,
  queryFn: async ({ signal }): Promise<Health> => {
    const answer = await fetch("/health", { signal });
    return (await answer.json()) as Health;
  },
});

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: ({ signal }) => ask(api.GET("/api/admin/settings", { signal })),
});
