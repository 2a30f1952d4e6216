/** A field for a date and a time of day on the clocks of the shown zone, which stands beside it. */
import { TextInput } from "@mantine/core";
import { useState } from "react";
import { zone } from "./formats";
import { fieldOf, secondsOf } from "./zones";

interface Props {
  label: string;
  /** Seconds since 1970. */
  value: number | undefined;
  onChange: (seconds: number | undefined) => void;
  help?: string;
  error?: string;
}

export function Moment({ label, value, onChange, help, error }: Props) {
  // what is half written is no time yet, and must not be taken away from who writes it
  const [written, setWritten] = useState("");
  const text = value === undefined ? written : secondsOf(written) === value ? written : fieldOf(value);
  return (
    <TextInput
      label={label}
      description={`${help ? `${help}; ` : ""}time of ${zone()}`}
      type="datetime-local"
      value={text}
      onChange={(event) => {
        setWritten(event.currentTarget.value);
        onChange(secondsOf(event.currentTarget.value));
      }}
      error={error}
    />
  );
}
