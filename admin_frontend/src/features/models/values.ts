/** A virtual model as its form holds it, and as the API takes it. */
import type { Schemas } from "../../api/client";
import type { VirtualModel } from "../../api/queries";
import { type Amount, orNull } from "../../parts/amounts";

export const PRICES = [
  ["cost_per_1m_tokens_in", "Input"],
  ["cost_per_1m_tokens_out", "Output"],
  ["cost_per_1m_tokens_in_cached", "Cached input, read"],
  ["cost_per_1m_tokens_out_cached", "Cached output"],
  ["cost_per_1m_tokens_cache_write_5m", "Cache write, 5 minutes"],
  ["cost_per_1m_tokens_cache_write_1h", "Cache write, 1 hour"],
] as const;

export type PriceField = (typeof PRICES)[number][0];

export interface TargetDraft {
  /** Only for the list on the screen: it stays when rows move. */
  row: number;
  endpoint_id: number | null;
  actual_model: string;
}

export interface HeaderDraft {
  row: number;
  name: string;
  value: string;
}

export interface Values {
  name: string;
  aliases: string[];
  description: string;
  enabled: boolean;
  targets: TargetDraft[];
  prices: Record<PriceField, Amount>;
  max_tokens: Amount;
  temperature: Amount;
  top_p: Amount;
  system_prompt: string;
  headers: HeaderDraft[];
  reasoning: "" | "field" | "inline" | "hidden";
  show_reasoning: boolean;
  starts_in_reasoning: boolean;
  disable_streaming: boolean;
  force_non_streaming: boolean;
}

export interface Start {
  endpoint?: number;
  model?: string;
}

let rows = 0;
export const newRow = (): number => ++rows;

export function valuesOf(stored: VirtualModel | undefined, start: Start = {}): Values {
  return {
    name: stored?.name ?? start.model?.split("/").pop() ?? "",
    aliases: stored?.aliases ?? [],
    description: stored?.description ?? "",
    enabled: stored?.enabled ?? true,
    targets: stored
      ? stored.targets.map((each) => ({ row: newRow(), ...each }))
      : [{ row: newRow(), endpoint_id: start.endpoint ?? null, actual_model: start.model ?? "" }],
    prices: Object.fromEntries(PRICES.map(([field]) => [field, stored?.[field] ?? ""])) as Record<PriceField, Amount>,
    max_tokens: stored?.max_tokens ?? "",
    temperature: stored?.temperature ?? "",
    top_p: stored?.top_p ?? "",
    system_prompt: stored?.system_prompt ?? "",
    headers: Object.entries(stored?.custom_headers ?? {}).map(([name, value]) => ({ row: newRow(), name, value })),
    reasoning: stored?.reasoning ?? "",
    show_reasoning: stored?.show_reasoning ?? true,
    starts_in_reasoning: stored?.starts_in_reasoning ?? false,
    disable_streaming: stored?.disable_streaming ?? false,
    force_non_streaming: stored?.force_non_streaming ?? false,
  };
}

export function bodyOf(values: Values): Schemas["NewVirtualModel"] {
  return {
    name: values.name,
    aliases: values.aliases,
    description: values.description || null,
    enabled: values.enabled,
    targets: values.targets.map((each) => ({
      endpoint_id: each.endpoint_id ?? 0,
      actual_model: each.actual_model.trim(),
    })),
    ...(Object.fromEntries(PRICES.map(([field]) => [field, orNull(values.prices[field])])) as Record<
      PriceField,
      number | null
    >),
    max_tokens: orNull(values.max_tokens),
    temperature: orNull(values.temperature),
    top_p: orNull(values.top_p),
    system_prompt: values.system_prompt || null,
    custom_headers: Object.fromEntries(
      values.headers.filter((each) => each.name.trim()).map((each) => [each.name.trim(), each.value]),
    ),
    reasoning: values.reasoning || null,
    show_reasoning: values.show_reasoning,
    starts_in_reasoning: values.starts_in_reasoning,
    disable_streaming: values.disable_streaming,
    force_non_streaming: values.force_non_streaming,
  };
}
