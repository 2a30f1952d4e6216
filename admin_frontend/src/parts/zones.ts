/** Days and minutes on the clocks of the shown time zone, as fields for dates have them, and as seconds since 1970. */
import { zone } from "./formats";

/** How far the zone's clocks are ahead of UTC then. */
export function offsetMs(at: number): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone(),
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
  }).formatToParts(at);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
  return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute")) - minuteOf(at);
}

const minuteOf = (at: number): number => Math.floor(at / 60_000) * 60_000;

/** What clocks show, as if they were UTC's, to the moment when they show it. */
function momentOf(clocksMs: number): number {
  const first = clocksMs - offsetMs(clocksMs);
  return Math.floor((clocksMs - offsetMs(first)) / 1_000);
}

/** The beginning of a day, YYYY-MM-DD, or of one some days later. */
export function midnight(date: string, later = 0): number {
  const [year = 0, month = 1, day = 1] = date.split("-").map(Number);
  return momentOf(Date.UTC(year, month - 1, day + later));
}

/** YYYY-MM-DDTHH:MM; undefined for what is no time yet, as a year that is half written. */
export function secondsOf(field: string): number | undefined {
  const clocks = Date.parse(`${field}Z`);
  return Number.isNaN(clocks) || clocks < 0 ? undefined : momentOf(clocks);
}

/** To the minute. */
export function fieldOf(seconds: number): string {
  const at = seconds * 1_000;
  return new Date(at + offsetMs(at)).toISOString().slice(0, 16);
}
