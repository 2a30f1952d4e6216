/** What of the activity somebody wants to see, as the address has it. */

export const NO_FILTERS = {
  status: "",
  model: "",
  endpoint: "",
  key_id: "",
  path: "",
  client: "",
  request_id: "",
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

/** What is not filtered is not asked for. */
export const queryOf = (filters: Filters): Partial<Filters> =>
  Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ""));
