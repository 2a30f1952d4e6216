/** One number at a glance, in a description list. */
import type { ReactNode } from "react";

export function Figure({ label, value, note }: { label: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="figure">
      <dt>{label}</dt>
      <dd className="value">{value}</dd>
      {note !== undefined && <dd className="note">{note}</dd>}
    </div>
  );
}
