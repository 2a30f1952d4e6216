/** A number as a field holds it: empty is unset, and a text like "0." is one that is being written. */
export type Amount = number | string;

export function orNull(amount: Amount): number | null {
  const value = typeof amount === "string" && amount.trim() === "" ? Number.NaN : Number(amount);
  return Number.isFinite(value) ? value : null;
}
