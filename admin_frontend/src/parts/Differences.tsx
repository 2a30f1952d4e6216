/** Fields before and after a change; the first few, and all of them on demand. */

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
          <span className="mono">{field}</span>: {isThere(before) && <del>{text(before)}</del>}
          {isThere(before) && isThere(after) && " → "}
          {isThere(after) && <ins>{text(after)}</ins>}
        </li>
      ))}
    </ul>
  );
}

const isThere = (value: unknown): boolean => value !== null && value !== undefined;
const text = (value: unknown): string => (typeof value === "string" ? value || '""' : JSON.stringify(value));
