/** The admin API, typed by its own OpenAPI document. */
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

export interface WrongField {
  field: string;
  message: string;
}

/** What the server refused, in its own words. `status` 0: it could not be reached. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: WrongField[] = [],
    /** The whole body: `current` of a conflict, `virtual_models` of an endpoint in use. */
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

/** Who the page speaks as; the sign-in sets it. */
export interface Credentials {
  headers(): Promise<Record<string, string>>;
  refused(): void;
}

let credentials: Credentials = { headers: async () => ({}), refused: () => {} };

export function speakAs(those: Credentials): void {
  credentials = those;
}

const withCredentials: Middleware = {
  async onRequest({ request }) {
    for (const [name, value] of Object.entries(await credentials.headers())) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    if (response.status === 401) credentials.refused();
    return response;
  },
};

export const api = createClient<paths>({ baseUrl: location.origin, credentials: "same-origin" });
api.use(withCredentials);

/** The answer's body; throws Refusal. */
export async function ask<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let answer: { data?: T; error?: unknown; response: Response };
  try {
    answer = await call;
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
    throw new Refusal(0, "The gateway cannot be reached. Is it still running?");
  }
  if (answer.response.ok && answer.data !== undefined) return answer.data;
  throw refusalOf(answer.response.status, answer.error);
}

export function refusalOf(status: number, error: unknown): Refusal {
  const body = typeof error === "object" && error !== null ? (error as Record<string, unknown>) : {};
  const said = body.error ?? body.message; // API Gateway's own refusals say message
  const text =
    typeof said === "string"
      ? said
      : typeof said === "object" && said !== null && "message" in said
        ? String(said.message)
        : `The gateway answered HTTP ${status}.`;
  const fields = Array.isArray(body.fields) ? (body.fields as WrongField[]) : [];
  return new Refusal(status, text, fields, body);
}

export function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(0, error instanceof Error ? error.message : String(error));
}
