/** A page's filters in its address, so that links, reloads and the back button keep them. */
import { useCallback, useEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";

/** The address follows a moment after a change: until then, what was changed is held here, or a second change would
 * undo the first, and a field would lose what is typed. */
export function useAddressState<T extends Record<string, string>>(defaults: T): [T, (change: Partial<T>) => void] {
  const [params, setParams] = useSearchParams();
  const [ahead, setAhead] = useState<Record<string, string>>({});
  const latest = useRef(ahead);

  const hold = useCallback((next: Record<string, string>) => {
    latest.current = next;
    setAhead(next);
  }, []);

  useEffect(() => {
    const late = Object.entries(latest.current).filter(([name, value]) => (params.get(name) ?? defaults[name]) !== value);
    if (late.length < Object.keys(latest.current).length) hold(Object.fromEntries(late));
  }, [params, defaults, hold]);

  const change = useCallback(
    (wanted: Partial<T>) => {
      hold({ ...latest.current, ...(wanted as Record<string, string>) });
      const after = new URLSearchParams(location.search);
      for (const [name, value] of Object.entries(latest.current)) {
        if (value === defaults[name]) after.delete(name);
        else after.set(name, value);
      }
      setParams(after, { replace: true });
    },
    [setParams, defaults, hold],
  );

  const values = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, ahead[name] ?? params.get(name) ?? value]),
  ) as T;
  return [values, change];
}
