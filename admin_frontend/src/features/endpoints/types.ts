/** The types of endpoints, in the words of somebody who fills in a form. The options are `shared/web/endpoint_rules.py`'s. */

export interface Option {
  name: string;
  label: string;
  help: string;
  kind: "number" | "text" | "flag" | readonly string[];
}

export interface EndpointType {
  value: string;
  label: string;
  /** What this is, in one sentence. */
  help: string;
  url: { help: string; placeholder: string; required: boolean };
  key: string;
  options: readonly Option[];
}

const TIMEOUT: Option = {
  name: "timeout_seconds",
  label: "Patience in seconds",
  help: "How long this endpoint may take, in place of the gateway's TIMEOUT",
  kind: "number",
};

const HABITS: readonly Option[] = [
  TIMEOUT,
  {
    name: "developer_role",
    label: "Role of developer messages",
    help: "What the backend calls them, where it does not know “developer”",
    kind: ["developer", "system", "user"],
  },
  {
    name: "max_tokens_field",
    label: "Field for the token limit",
    help: "Newer models want max_completion_tokens",
    kind: ["max_tokens", "max_completion_tokens"],
  },
  {
    name: "null_content",
    label: "Empty answers as null",
    help: "Whether the backend takes messages whose content is null, as beside tool calls",
    kind: "flag",
  },
  {
    name: "stream_usage",
    label: "Usage in streams",
    help: "Whether the backend understands stream_options.include_usage",
    kind: "flag",
  },
];

const PRIVATE_IMAGES: Option = {
  name: "private_image_urls",
  label: "Fetch images from private addresses",
  help: "Images that clients name by URL are fetched by the gateway; allow those of your own network",
  kind: "flag",
};

const BEARER = "Sent as a bearer token. Stored encrypted; nobody can read it back.";

const compatible = (value: string, label: string, help: string, placeholder: string, required = false) => ({
  value,
  label,
  help,
  url: {
    help: required ? "The server's address, with or without /v1" : `Leave it empty for ${placeholder}`,
    placeholder,
    required,
  },
  key: BEARER,
  options: HABITS,
});

export const ENDPOINT_TYPES: readonly EndpointType[] = [
  compatible(
    "openai",
    "OpenAI compatible",
    "OpenAI itself, or any server that speaks its API: LM Studio, llama.cpp, OpenRouter, Groq, Mistral, …",
    "https://api.openai.com",
  ),
  {
    value: "anthropic",
    label: "Anthropic",
    help: "Claude by Anthropic's Messages API; caching, thinking and PDFs are converted both ways.",
    url: { help: "Leave it empty for https://api.anthropic.com", placeholder: "https://api.anthropic.com", required: false },
    key: "Sent as x-api-key. Stored encrypted; nobody can read it back.",
    options: [TIMEOUT],
  },
  {
    value: "ollama",
    label: "Ollama",
    help: "An Ollama server, by its native API.",
    url: { help: "Leave it empty for this machine's", placeholder: "http://127.0.0.1:11434", required: false },
    key: "Only if a proxy before it wants one.",
    options: [
      { name: "num_ctx", label: "Context length", help: "Tokens of context that the model is loaded with", kind: "number" },
      { name: "keep_alive", label: "Keep loaded for", help: "A duration like 10m, or seconds; -1 for ever", kind: "text" },
      { name: "raw", label: "Raw prompts", help: "Pass completions to the model without its template", kind: "flag" },
      PRIVATE_IMAGES,
      ...HABITS,
    ],
  },
  compatible("vllm", "vLLM", "A vLLM server.", "http://vllm.internal:8000", true),
  compatible("together", "Together AI", "Models hosted by Together AI.", "https://api.together.xyz"),
  compatible("deepinfra", "DeepInfra", "Models hosted by DeepInfra.", "https://api.deepinfra.com"),
  compatible("openwebui", "Open WebUI", "The models of an Open WebUI server.", "http://openwebui.internal:3000", true),
  {
    value: "runpod",
    label: "RunPod Serverless",
    help: "A serverless endpoint at RunPod: its OpenAI route where it has one, else jobs that are polled.",
    url: { help: "The endpoint's id, or any of its URLs", placeholder: "abc123def456", required: true },
    key: BEARER,
    options: [
      {
        name: "mode",
        label: "How it is asked",
        help: "auto tries the OpenAI route first",
        kind: ["auto", "openai", "job"],
      },
      {
        name: "input_shape",
        label: "Shape of a job's input",
        help: "What the worker in the container reads",
        kind: ["openai_route", "openai", "vllm", "ollama", "ollama_generate", "ollama_chat"],
      },
      PRIVATE_IMAGES,
      ...HABITS,
    ],
  },
  {
    value: "queue",
    label: "Queue server",
    help: "A server that holds each request until it is its turn.",
    url: { help: "The queue's address", placeholder: "http://queue.internal:8102", required: true },
    key: BEARER,
    options: [
      { name: "priority", label: "Priority", help: "Sent as X-Priority", kind: ["HIGH", "NORMAL", "LOW"] },
      { name: "source", label: "Source", help: "Sent as X-Source, one word", kind: "text" },
      { name: "stream", label: "It can stream", help: "Ask for streams instead of whole answers", kind: "flag" },
      ...HABITS,
    ],
  },
  {
    value: "demo",
    label: "Built-in demo",
    help: "Answers out of the gateway itself, without a key or a model: to try things out.",
    url: { help: "Nothing to fill in", placeholder: "demo://built-in", required: false },
    key: "It needs none.",
    options: [
      { name: "delay_ms", label: "Milliseconds between words", help: "0 to 1000; 10 unless set", kind: "number" },
      TIMEOUT,
    ],
  },
];

export const typeOf = (value: string): EndpointType | undefined => ENDPOINT_TYPES.find((each) => each.value === value);
