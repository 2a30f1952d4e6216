/** A chat as any client of OpenAI's API has it: the request, and its answer event by event. */
import { refusalOf } from "../../api/client";

export interface ToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  /** Shown, and never sent back. */
  reasoning?: string;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
}

export interface Request {
  model: string;
  messages: unknown[];
  stream: boolean;
  stream_options?: { include_usage: true };
  tools?: unknown[];
  temperature?: number;
  max_tokens?: number;
}

export interface Answer {
  message: Message;
  finish?: string;
  usage?: Usage;
  endpoint?: string;
  actualModel?: string;
  requestId?: string;
  firstTokenMs?: number;
  wholeMs?: number;
}

interface Chunk {
  choices?: {
    delta?: Delta;
    message?: Delta;
    finish_reason?: string | null;
  }[];
  usage?: Usage | null;
  error?: unknown;
}

interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

export const wireMessages = (messages: readonly Message[]): unknown[] =>
  messages.map(({ reasoning: _, ...sent }) => sent);

/** Asks; `show` is given the answer as it grows. Throws Refusal, or AbortError when `signal` ends it. */
export async function chat(
  request: Request,
  key: string,
  signal: AbortSignal,
  show: (answer: Answer) => void,
): Promise<Answer> {
  const began = performance.now();
  const answer = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key ? { authorization: `Bearer ${key}` } : {}),
    },
    body: JSON.stringify(request),
    signal,
  });
  if (!answer.ok || !answer.body) throw refusalOf(answer.status, await answer.json().catch(() => undefined));
  let grown: Answer = {
    message: { role: "assistant", content: "" },
    endpoint: answer.headers.get("x-gateway-endpoint") ?? undefined,
    actualModel: answer.headers.get("x-gateway-model") ?? undefined,
    requestId: answer.headers.get("x-request-id") ?? undefined,
  };
  const take = (chunk: Chunk) => {
    if (chunk.error) throw refusalOf(answer.status, chunk);
    grown = withChunk(grown, chunk);
    if (grown.firstTokenMs === undefined && hasWords(grown.message)) grown.firstTokenMs = performance.now() - began;
    show(grown);
  };
  if (answer.headers.get("content-type")?.startsWith("text/event-stream")) {
    for await (const data of serverSentEvents(answer.body)) {
      if (data === "[DONE]") break;
      take(JSON.parse(data) as Chunk);
    }
  } else {
    take((await answer.json()) as Chunk);
  }
  grown = { ...grown, wholeMs: performance.now() - began };
  show(grown);
  return grown;
}

function hasWords(message: Message): boolean {
  return message.content !== "" || Boolean(message.reasoning) || Boolean(message.tool_calls?.length);
}

function withChunk(before: Answer, chunk: Chunk): Answer {
  const choice = chunk.choices?.[0];
  const delta = choice?.delta ?? choice?.message ?? {};
  const { message } = before;
  const calls = [...(message.tool_calls ?? [])];
  for (const [place, part] of (delta.tool_calls ?? []).entries()) {
    const index = part.index ?? place;
    const call = calls[index] ?? { id: "", type: "function", function: { name: "", arguments: "" } };
    calls[index] = {
      id: part.id ?? call.id,
      type: "function",
      function: {
        name: call.function.name + (part.function?.name ?? ""),
        arguments: call.function.arguments + (part.function?.arguments ?? ""),
      },
    };
  }
  return {
    ...before,
    message: {
      ...message,
      content: message.content + (delta.content ?? ""),
      ...(message.reasoning || delta.reasoning_content
        ? { reasoning: (message.reasoning ?? "") + (delta.reasoning_content ?? "") }
        : {}),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
    finish: choice?.finish_reason ?? before.finish,
    usage: chunk.usage ?? before.usage,
  };
}

/** The data of each event; comments, as those that keep a connection alive, are passed over. */
async function* serverSentEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      let end = rest.search(/\r?\n\r?\n/);
      while (end >= 0) {
        const event = rest.slice(0, end);
        rest = rest.slice(end).replace(/^\r?\n\r?\n/, "");
        const data = event
          .split(/\r?\n/)
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice(5).trimStart())
          .join("\n");
        if (data) yield data;
        end = rest.search(/\r?\n\r?\n/);
      }
    }
  } finally {
    await reader.cancel();
  }
}
