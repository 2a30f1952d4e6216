/** Numbers, money and times as people read them, in the browser's language and time zone. */

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const cents = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const digits = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const rough = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
let zoneName = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
let moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
let clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
let dayOf = new Intl.DateTimeFormat("en-CA", { dateStyle: "short" });

/** The time zone of everything that is shown: the browser's, unless the settings name another. */
export const zone = (): string => zoneName;

export function setZone(timeZone: string): void {
  zoneName = timeZone;
  moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone });
  clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", timeZone });
  dayOf = new Intl.DateTimeFormat("en-CA", { dateStyle: "short", timeZone });
}

/** The day as YYYY-MM-DD; seconds since 1970. */
export const day = (seconds: number): string => dayOf.format(seconds * 1_000);

export const count = (value: number): string => whole.format(value);

/** 1,234,567 as 1.2M. */
export const shortCount = (value: number): string => (value < 10_000 ? whole.format(value) : short.format(value));

/** Exact to the digits that matter: cents for large amounts, three digits of small ones. */
export function dollars(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const amount = Number(value);
  if (amount === 0) return "$0";
  return amount >= 0.01 ? `$${cents.format(amount)}` : `$${digits.format(amount)}`;
}

/** On an axis: two digits are enough. */
export const roughDollars = (value: number): string =>
  value === 0 || value >= 1 ? `$${short.format(value)}` : `$${rough.format(value)}`;

/** At a glance: cents, and two digits where cents would hide it. */
export const glanceDollars = (value: number | null | undefined): string =>
  value && Math.abs(value) < 0.01 ? roughDollars(value) : dollars(value);

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(value < 10_000 ? 2 : 1)} s`;
}

export const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** Seconds since 1970. */
export const dateTime = (seconds: number): string => moment.format(seconds * 1_000);

export function timeOfDay(seconds: number): string {
  return day(seconds) === day(Date.now() / 1_000) ? clock.format(seconds * 1_000) : dateTime(seconds);
}

const STEPS: readonly [number, Intl.RelativeTimeFormatUnit][] = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
];
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** "5 minutes ago". */
export function ago(seconds: number | null | undefined, now = Date.now() / 1_000): string {
  if (seconds === null || seconds === undefined) return "never";
  const passed = now - seconds;
  for (const [length, unit] of STEPS) if (passed >= length) return relative.format(-Math.floor(passed / length), unit);
  return "just now";
}

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
