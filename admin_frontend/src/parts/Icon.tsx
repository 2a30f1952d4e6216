/** The page's few pictures, drawn as strokes on a 24 by 24 grid; always beside a word or in a labelled button. */
const STROKES = {
  add: "M12 5v14M5 12h14",
  activity: "M3 12h4l3-8 4 16 3-8h4",
  audit: "M6 3h9l4 4v14H6zM9 11h7M9 15h7M9 7h3",
  check: "M5 13l4 4L19 7",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  down: "M6 9l6 6 6-6",
  download: "M12 4v11m-5-5l5 5 5-5M4 20h16",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  endpoints: "M4 5h16v5H4zM4 14h16v5H4zM8 7.5h.01M8 16.5h.01",
  key: "M14.5 9.5a4 4 0 1 0-3.2 3.9L13 15h2v2h2v2h3v-3l-5.6-5.6z",
  left: "M15 6l-6 6 6 6",
  light: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2m0 16v2M4.2 4.2l1.5 1.5m12.6 12.6l1.5 1.5M2 12h2m16 0h2M4.2 19.8l1.5-1.5M18.3 5.7l1.5-1.5",
  menu: "M4 6h16M4 12h16M4 18h16",
  models: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  overview: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
  patterns: "M8 4c-3 0-3 2-3 4s0 3-2 4c2 1 2 2 2 4s0 4 3 4M16 4c3 0 3 2 3 4s0 3 2 4c-2 1-2 2-2 4s0 4-3 4M12 9v6M9.5 10.5l5 3M14.5 10.5l-5 3",
  playground: "M4 5h16v11H10l-5 4v-4H4zM8 9h8M8 12h5",
  refresh: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
  right: "M9 6l6 6-6 6",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM20 20l-4.8-4.8",
  send: "M4 12l16-8-6 16-3-6z",
  settings: "M4 7h10m4 0h2M4 17h2m4 0h10M16 5v4M8 15v4",
  stop: "M7 7h10v10H7z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5m4-5v5",
  up: "M6 15l6-6 6 6",
  usage: "M4 20V4M4 20h16M8 16v-4m4 4V8m4 8v-6",
} as const;

export type IconName = keyof typeof STROKES;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={STROKES[name]} />
    </svg>
  );
}
