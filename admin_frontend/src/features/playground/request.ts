/** What the playground asks with: the fields beside the conversation, and the request that they make. */
import { type Amount, orNull } from "../../parts/amounts";
import { type Message, type Request, wireMessages } from "./stream";

export interface Asking {
  system: string;
  /** JSON, as it is being written. */
  tools: string;
  stream: boolean;
  temperature: Amount;
  limit: Amount;
  key: string;
}

export const NOTHING_ASKED: Asking = { system: "", tools: "", stream: true, temperature: "", limit: "", key: "" };

export const EXAMPLE_TOOLS = JSON.stringify(
  [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather of a city",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    },
  ],
  null,
  2,
);

export function requestOf(model: string, asking: Asking, messages: readonly Message[]): Request {
  const { system, stream } = asking;
  const { tools } = toolsOf(asking);
  const [temperature, limit] = [orNull(asking.temperature), orNull(asking.limit)];
  return {
    model,
    messages: wireMessages([...(system.trim() ? [{ role: "system" as const, content: system }] : []), ...messages]),
    stream,
    ...(stream ? { stream_options: { include_usage: true } as const } : {}),
    ...(tools ? { tools } : {}),
    ...(temperature === null ? {} : { temperature }),
    ...(limit === null ? {} : { max_tokens: limit }),
  };
}

export function toolsOf({ tools: text }: Asking): { tools?: unknown[]; wrong?: string } {
  if (!text.trim()) return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (!Array.isArray(value)) return { wrong: "must be a list, [ … ]" };
    return value.length > 0 ? { tools: value } : {};
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) };
  }
}
