/** What somebody is writing: kept through every failed save, with the server's words beside the fields. */
import { useCallback, useMemo, useState } from "react";
import type { Refusal } from "../api/client";

export interface Draft<T extends object> {
  values: T;
  dirty: boolean;
  set: <K extends keyof T>(field: K, value: T[K]) => void;
  /** Start again from what is stored. */
  reset: (values: T) => void;
  /** What the server said of a field or of what is inside it, as `targets[0].actual_model`. */
  error: (field: string) => string | undefined;
  /** What it said of fields that this form does not show. */
  others: (shown: readonly string[]) => string[];
  blame: (refusal: Refusal | undefined) => void;
}

export function useDraft<T extends object>(begin: () => T): Draft<T> {
  const [stored, setStored] = useState(begin);
  const [values, setValues] = useState(stored);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const set = useCallback(<K extends keyof T>(field: K, value: T[K]) => {
    setValues((before) => ({ ...before, [field]: value }));
    setWrong((before) => without(before, String(field)));
  }, []);
  const reset = useCallback((next: T) => {
    setStored(next);
    setValues(next);
    setWrong({});
  }, []);
  const blame = useCallback(
    (refusal: Refusal | undefined) =>
      setWrong(Object.fromEntries((refusal?.fields ?? []).map((each) => [each.field, each.message]))),
    [],
  );
  const dirty = useMemo(() => JSON.stringify(values) !== JSON.stringify(stored), [values, stored]);
  return {
    values,
    dirty,
    set,
    reset,
    blame,
    error: (field) => wrong[field],
    others: (shown) =>
      Object.entries(wrong)
        .filter(([field]) => !shown.some((each) => field === each || field.startsWith(`${each}[`)))
        .map(([field, message]) => `${field}: ${message}`),
  };
}

/** A field's complaint goes when somebody changes the field, and so do those of what is inside it. */
function without(wrong: Record<string, string>, field: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(wrong).filter(
      ([name]) => name !== field && !name.startsWith(`${field}.`) && !name.startsWith(`${field}[`),
    ),
  );
}
