/** What of the activity somebody wants to see, as the address has it. */

export const NO_FILTERS = {
  status: "",
  model: "",
  endpoint: "",
  key_id: "",
  path: "",
  client: "",
  least_cost: "",
  since: "",
  until: "",
};

export type Filters = typeof NO_FILTERS;

export const STATUSES = [
  { value: "success", label: "Answered" },
  { value: "failed", label: "Failed" },
  { value: "truncated", label: "Broke off" },
  { value: "aborted", label: "Client left" },
  { value: "4xx", label: "HTTP 4xx" },
  { value: "429", label: "HTTP 429, limited" },
  { value: "5xx", label: "HTTP 5xx" },
];

/** Fields for date and time have no zone; the API wants one. */
export function moment(field: string): string | undefined {
  return field ? String(Math.floor(new Date(field).getTime() / 1_000)) : undefined;
}

export function queryOf(filters: Filters) {
  const { since, until, ...others } = filters;
  return {
    ...(Object.fromEntries(Object.entries(others).filter(([, value]) => value !== "")) as Partial<typeof others>),
    since: moment(since),
    until: moment(until),
  };
}
