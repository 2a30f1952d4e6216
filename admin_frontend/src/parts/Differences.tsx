/** Fields before and after a change; the first few, and all of them on demand. */
import { dateTime } from "./formats";

interface Changed {
  field: string;
  before?: unknown;
  after?: unknown;
}

const FIRST = 4;

export function Differences({ changes }: { changes: readonly Changed[] }) {
  const [shown, folded] = [changes.slice(0, FIRST), changes.slice(FIRST)];
  return (
    <>
      <Rows changes={shown} />
      {folded.length > 0 && (
        <details>
          <summary>{folded.length} more</summary>
          <Rows changes={folded} />
        </details>
      )}
    </>
  );
}

function Rows({ changes }: { changes: readonly Changed[] }) {
  return (
    <ul className="diff">
      {changes.map(({ field, before, after }) => (
        <li key={field}>
          <span className="mono">{field}</span>: {isThere(before) && <del>{text(field, before)}</del>}
          {isThere(before) && isThere(after) && " → "}
          {isThere(after) && <ins>{text(field, after)}</ins>}
        </li>
      ))}
    </ul>
  );
}

const isThere = (value: unknown): boolean => value !== null && value !== undefined;

/** Times are stored as seconds since 1970, under names that say so. */
function text(field: string, value: unknown): string {
  if (typeof value === "number" && /_(at|until)$/.test(field)) return dateTime(value);
  return typeof value === "string" ? value || '""' : JSON.stringify(value);
}
