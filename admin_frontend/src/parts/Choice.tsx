/** A filter with a list of choices, and all of them when none is chosen. */
import { Select } from "@mantine/core";

interface Props {
  label: string;
  /** "Any" or "All". */
  none?: string;
  choices: { value: string; label: string }[] | undefined;
  value: string;
  onChange: (value: string) => void;
}

const MANY = 8;

export function Choice({ label, none = "Any", choices = [], value, onChange }: Props) {
  // a filter from a link may name what is not in the list any more
  const known = !value || choices.some((each) => each.value === value);
  return (
    <Select
      label={label}
      placeholder={none}
      clearable
      searchable={choices.length > MANY}
      clearButtonProps={{ "aria-label": `${none} ${label.toLowerCase()}` }}
      data={known ? choices : [...choices, { value, label: value }]}
      value={value || null}
      onChange={(chosen) => onChange(chosen ?? "")}
    />
  );
}

export const named = (names: readonly string[] | undefined) => names?.map((name) => ({ value: name, label: name }));
