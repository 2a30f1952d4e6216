/** The playground's request for other tools, with the key left to the environment. */
import type { Request } from "./stream";

export function asCurl(url: string, request: Request): string {
  const body = JSON.stringify(request, null, 2).replaceAll("'", "'\\''");
  return [
    `curl ${request.stream ? "-N " : ""}${url}/chat/completions \\`,
    `  -H "authorization: Bearer $OPENAI_API_KEY" \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d '${body}'`,
  ].join("\n");
}

export function asPython(url: string, request: Request): string {
  const { stream, ...fields } = request;
  const given = Object.entries(fields)
    .map(([name, value]) => `    ${name}=${python(value, 1)},`)
    .join("\n");
  const head = `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(url)}, api_key=os.environ.get("OPENAI_API_KEY", "none"))\n`;
  return stream
    ? `${head}stream = client.chat.completions.create(\n    stream=True,\n${given}\n)\nfor chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)\n`
    : `${head}answer = client.chat.completions.create(\n${given}\n)\nprint(answer.choices[0].message.content)\n`;
}

/** A JSON value as a Python literal. */
function python(value: unknown, depth: number): string {
  const pad = "    ".repeat(depth + 1);
  const end = "    ".repeat(depth);
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) {
    return value.length === 0 ? "[]" : `[\n${value.map((each) => `${pad}${python(each, depth + 1)},`).join("\n")}\n${end}]`;
  }
  if (typeof value === "object") {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined);
    if (entries.length === 0) return "{}";
    const rows = entries.map(([name, each]) => `${pad}${JSON.stringify(name)}: ${python(each, depth + 1)},`);
    return `{\n${rows.join("\n")}\n${end}}`;
  }
  return JSON.stringify(value);
}
