/** An endpoint type's options; what is left empty is not sent. */
import { NumberInput, Select, TextInput } from "@mantine/core";
import type { Amount } from "../../parts/amounts";
import type { Option } from "./types";

interface Props {
  options: readonly Option[];
  values: Record<string, unknown>;
  change: (values: Record<string, unknown>) => void;
  error: (name: string) => string | undefined;
}

const FLAGS = [
  { value: "true", label: "Yes" },
  { value: "false", label: "No" },
];

export function OptionFields({ options, values, change, error }: Props) {
  const set = (name: string, value: unknown) => {
    const { [name]: _, ...others } = values;
    change(value === undefined || value === "" ? others : { ...others, [name]: value });
  };
  return (
    <div className="two">
      {options.map(({ name, label, help, kind }) => {
        const shared = { label, description: help, error: error(name) };
        const value = values[name];
        if (kind === "number") {
          return (
            <NumberInput
              key={name}
              {...shared}
              min={0}
              value={(value ?? "") as Amount}
              onChange={(next) => set(name, next)}
            />
          );
        }
        if (kind === "text") {
          return (
            <TextInput
              key={name}
              {...shared}
              value={value === undefined ? "" : String(value)}
              onChange={(event) => {
                const text = event.currentTarget.value;
                set(name, /^-?\d+$/.test(text) ? Number(text) : text);
              }}
            />
          );
        }
        return (
          <Select
            key={name}
            {...shared}
            clearable
            clearButtonProps={{ "aria-label": `Unset ${label}` }}
            placeholder="As usual for the type"
            data={kind === "flag" ? FLAGS : [...kind]}
            value={value === undefined || value === null ? null : String(value)}
            onChange={(next) => set(name, next === null ? undefined : kind === "flag" ? next === "true" : next)}
          />
        );
      })}
    </div>
  );
}
