/** A page's filters in its address, so that links, reloads and the back button keep them. */
import { useCallback } from "react";
import { useSearchParams } from "react-router";

export function useAddressState<T extends Record<string, string>>(
  defaults: T,
): [T, (change: Partial<T>, remember?: "push" | "replace") => void] {
  const [params, setParams] = useSearchParams();
  const values = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, params.get(name) ?? value]),
  ) as T;
  const change = useCallback(
    (wanted: Partial<T>, remember: "push" | "replace" = "replace") =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries(wanted)) {
            if (value === undefined || value === defaults[name]) after.delete(name);
            else after.set(name, String(value));
          }
          return after;
        },
        { replace: remember === "replace" },
      ),
    [setParams, defaults],
  );
  return [values, change];
}
