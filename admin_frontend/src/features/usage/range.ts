/** The stretch of time that the usage page shows. */
import type { Stretch } from "../../api/usage";

export const NO_CHOICE = { range: "7d", from: "", to: "", model: "", key: "", type: "", by: "day" };
export type Choice = typeof NO_CHOICE;

const HALF_HOUR = 1_800;
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

function midnight(day: string, later = 0): number {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return Math.floor(new Date(year, month - 1, date + later).getTime() / 1_000);
}

/** Every slot of the stretch, those without requests too: a gap is to be seen. */
export function daysOf(stretch: Stretch): string[] {
  const days: string[] = [];
  const day = new Date(stretch.start_date * 1_000);
  day.setHours(0, 0, 0, 0);
  while (day.getTime() / 1_000 < stretch.end_date) {
    const pad = (value: number) => String(value).padStart(2, "0");
    days.push(`${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())}`);
    day.setDate(day.getDate() + 1);
  }
  return days;
}

export function hoursOf(stretch: Stretch): number[] {
  const hours: number[] = [];
  const first = new Date(stretch.start_date * 1_000);
  first.setMinutes(0, 0, 0);
  for (let at = first.getTime() / 1_000; at < stretch.end_date; at += 3_600) hours.push(at);
  return hours;
}
