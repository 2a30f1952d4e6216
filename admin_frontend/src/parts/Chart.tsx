/** Stacked bars over time, drawn as SVG; the same numbers stand in the tables beside it. */
import { Group, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";

export interface Bar {
  /** Under the axis. */
  label: string;
  /** One value per series. */
  values: number[];
}

interface Props {
  title: string;
  series: readonly string[];
  bars: readonly Bar[];
  format: (value: number) => string;
}

const HEIGHT = 220;
const LEFT = 64;
const BOTTOM = 22;
const TOP = 8;
const STEPS = 4;

export function Chart({ title, series, bars, format }: Props) {
  const { ref, width } = useElementSize();
  const totals = bars.map((bar) => bar.values.reduce((sum, value) => sum + value, 0));
  const top = nice(Math.max(...totals, 0));
  const inner = HEIGHT - BOTTOM - TOP;
  const wide = Math.max(width - LEFT, 1);
  const slot = wide / Math.max(bars.length, 1);
  const every = Math.ceil(bars.length / Math.max(Math.floor(wide / 76), 1));
  const y = (value: number) => TOP + inner * (1 - value / top);
  return (
    <figure className="chart" aria-label={title}>
      <Group justify="space-between" mb="sm" gap="xs">
        <Text component="figcaption" fw={600} size="sm">
          {title}
        </Text>
        <ul className="legend" aria-label="Legend">
          {series.map((name, index) => (
            <li key={name}>
              <i className={`series-${index + 1}`} />
              {name}
            </li>
          ))}
        </ul>
      </Group>
      <div ref={ref}>
        <svg role="img" aria-label={`${title}: ${bars.length} bars, ${format(totals.reduce((a, b) => a + b, 0))} in all`}>
          {Array.from({ length: STEPS + 1 }, (_, step) => {
            const value = (top * step) / STEPS;
            return (
              <g key={step}>
                <line className="grid" x1={LEFT} x2={LEFT + wide} y1={y(value)} y2={y(value)} />
                <text x={LEFT - 8} y={y(value) + 4} textAnchor="end">
                  {format(value)}
                </text>
              </g>
            );
          })}
          {bars.map((bar, index) => {
            const x = LEFT + index * slot;
            const breadth = Math.min(Math.max(slot * 0.72, 1), 48);
            let below = 0;
            return (
              <g key={bar.label}>
                <title>
                  {`${bar.label}\n${series.map((name, at) => `${name}: ${format(bar.values[at] ?? 0)}`).join("\n")}`}
                </title>
                <rect x={x} y={TOP} width={slot} height={inner} fill="transparent" />
                {bar.values.map((value, at) => {
                  const bottom = below;
                  below += value;
                  return (
                    <rect
                      key={series[at]}
                      className={`bar series-${at + 1}`}
                      x={x + (slot - breadth) / 2}
                      y={y(below)}
                      width={breadth}
                      height={Math.max(y(bottom) - y(below), 0)}
                    />
                  );
                })}
                {index % every === 0 && (
                  <text x={x + slot / 2} y={HEIGHT - 6} textAnchor="middle">
                    {bar.label}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      </div>
    </figure>
  );
}

/** The next number whose quarters are round. */
function nice(highest: number): number {
  if (highest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return ([1, 2, 4, 6, 8, 10].find((step) => step * power >= highest) ?? 10) * power;
}
