/** Tokens and cost over time: by hour for a day or two, else by day. */
import { useQuery } from "@tanstack/react-query";
import { type Day, type Hour, type Stretch, hoursQuery } from "../../api/usage";
import { type Bar, Chart } from "../../parts/Chart";
import { Failed, Loading } from "../../parts/States";
import { roughDollars, shortCount, zone } from "../../parts/formats";
import { daysOf, hoursOf } from "./range";

type Slot = Day | Hour;

const TWO_DAYS = 2 * 86_400;
const TOKENS = ["Input", "Cached input", "Output"];
const COSTS = ["Input", "Cached input", "Output"];

const tokens = (slot: Slot | undefined): number[] =>
  slot
    ? [
        slot.input_tokens,
        slot.cache_read_tokens + slot.cache_write_5m_tokens + slot.cache_write_1h_tokens,
        slot.output_tokens,
      ]
    : [0, 0, 0];

const costs = (slot: Slot | undefined): number[] =>
  slot ? [slot.input_cost, slot.cache_read_cost + slot.cache_write_cost, slot.output_cost] : [0, 0, 0];

export function Charts({ stretch, days }: { stretch: Stretch; days: readonly Day[] }) {
  const byHour = stretch.end_date - stretch.start_date <= TWO_DAYS;
  const hours = useQuery({ ...hoursQuery(stretch), enabled: byHour });
  if (byHour && hours.error) return <Failed error={hours.error} retry={() => void hours.refetch()} />;
  if (byHour && !hours.data) return <Loading rows={3} />;
  const slots: [label: string, slot: Slot | undefined][] = byHour ? hourly(stretch, hours.data ?? []) : daily(stretch, days);
  const bars = (values: (slot: Slot | undefined) => number[]): Bar[] =>
    slots.map(([label, slot]) => ({ label, values: values(slot) }));
  const time = byHour ? "per hour" : "per day";
  return (
    <div className="halves">
      <Chart title={`Tokens ${time}`} series={TOKENS} bars={bars(tokens)} format={shortCount} />
      <Chart title={`Cost ${time}`} series={COSTS} bars={bars(costs)} format={roughDollars} />
    </div>
  );
}

function daily(stretch: Stretch, days: readonly Day[]): [string, Day | undefined][] {
  const known = new Map(days.map((each) => [each.date, each]));
  const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  return daysOf(stretch).map((date) => [short.format(new Date(`${date}T12:00:00`)), known.get(date)]);
}

function hourly(stretch: Stretch, hours: readonly Hour[]): [string, Hour | undefined][] {
  // the first hour may be cut where the stretch begins
  const slots = hoursOf(stretch);
  const known = new Map(hours.map((each) => [slots.findLast((at) => at <= each.start_date), each]));
  const short = new Intl.DateTimeFormat(undefined, {
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone: zone(),
  });
  return slots.map((at) => [short.format(at * 1_000), known.get(at)]);
}
