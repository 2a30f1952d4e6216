/** The stretch of time that the usage page shows. */
import type { Stretch } from "../../api/usage";
import { day } from "../../parts/formats";
import { midnight, offsetMs } from "../../parts/zones";

export const NO_CHOICE = { range: "7d", from: "", to: "", model: "", key: "", type: "", by: "day" };
export type Choice = typeof NO_CHOICE;

const HALF_HOUR = 1_800;
const QUARTER_DAY = 21_600; // steps over no day, however short a change of clocks makes it
const DAYS: Record<string, number> = { "24h": 1, "7d": 7, "30d": 30, "90d": 90 };

export const RANGES = [
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
  { value: "90d", label: "90 days" },
  { value: "custom", label: "Custom" },
];

/** Whole half-hours, so that the same question is asked for a while. Undefined: the custom days make no range yet. */
export function stretchOf(choice: Choice, nowSeconds: number): Stretch | undefined {
  const filters = {
    virtual_model: choice.model || undefined,
    key_id: choice.key || undefined,
    request_type: choice.type || undefined,
  };
  if (choice.range === "custom") {
    if (!choice.from || !choice.to) return undefined;
    const start_date = midnight(choice.from);
    const end_date = midnight(choice.to, 1);
    return start_date < end_date ? { start_date, end_date, ...filters } : undefined;
  }
  const end_date = (Math.floor(nowSeconds / HALF_HOUR) + 1) * HALF_HOUR;
  return { start_date: end_date - (DAYS[choice.range] ?? 7) * 86_400, end_date, ...filters };
}

/** Every slot of the stretch, those without requests too: a gap is to be seen. */
export function daysOf({ start_date, end_date }: Stretch): string[] {
  const days = new Set<string>();
  for (let at = start_date; at < end_date; at += QUARTER_DAY) days.add(day(at));
  return [...days.add(day(end_date - 1))];
}

export function hoursOf({ start_date, end_date }: Stretch): number[] {
  const intoHour = (start_date + offsetMs(start_date * 1_000) / 1_000) % 3_600;
  const hours: number[] = [];
  for (let at = start_date - intoHour; at < end_date; at += 3_600) hours.push(at);
  return hours;
}
