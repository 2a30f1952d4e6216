/** A sample cut at what was read as calls. Places count characters as the server does: code points, not UTF-16. */

export interface Place {
  start: number;
  end: number;
  pattern: string;
  engine: "regex" | "builtin";
}

export interface Piece {
  text: string;
  by?: Place;
}

export function highlight(sample: string, places: readonly Place[]): Piece[] {
  const letters = Array.from(sample);
  const pieces: Piece[] = [];
  let at = 0;
  for (const place of [...places].sort((a, b) => a.start - b.start)) {
    const start = Math.max(place.start, at);
    const end = Math.min(place.end, letters.length);
    if (end <= start) continue;
    if (start > at) pieces.push({ text: letters.slice(at, start).join("") });
    pieces.push({ text: letters.slice(start, end).join(""), by: place });
    at = end;
  }
  if (at < letters.length) pieces.push({ text: letters.slice(at).join("") });
  return pieces;
}
