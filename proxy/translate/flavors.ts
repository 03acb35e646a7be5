/** What kinds of OpenAI-compatible upstreams do differently: a table, so that translation has no branches by provider. */

import type { JsonObject } from './translator.ts';

export const FLAVORS = ['openai', 'azure', 'groq', 'deepseek', 'ollama', 'vllm', 'mistral', 'xai', 'gemini'] as const;
export type FlavorName = (typeof FLAVORS)[number];

/** Efforts that a Messages client can ask for; what each kind calls `reasoning_effort`. */
export type Effort = 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export interface Flavor {
  readonly name: FlavorName;
  /** Where a Chat request says how many tokens may come. */
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens';
  /** Whether `stream_options` is understood; without it usage comes unasked, or not at all. */
  readonly streamOptions: boolean;
  /** Characters that `user` may have; 0: the field is not understood. A longer value is sent as its hash. */
  readonly userChars: number;
  /** Stop sequences that a request may have. */
  readonly maxStops: number;
  readonly topK: boolean;
  /** Values of `reasoning_effort`; empty: the field is not understood. */
  readonly efforts: readonly Effort[];
  /** Whether reasoning is switched by `thinking: {type: enabled | disabled}`. */
  readonly thinkingSwitch: boolean;
  /** Where an answer carries its reasoning, in the order in which they are looked for. */
  readonly reasoningFields: readonly string[];
  /** Where an assistant's message of a request may carry the reasoning of an earlier turn. */
  readonly reasoningInRequests: 'reasoning_content' | 'reasoning' | undefined;
  /** Whether `tool_choice` has any effect. */
  readonly toolChoice: boolean;
  /** What `tool_choice` calls "some tool, whichever". */
  readonly anyTool: 'required' | 'any';
  readonly parallelToolCalls: boolean;
  /** Whether `strict` of a function's schema is understood. */
  readonly strictTools: boolean;
  /** Whether `response_format` takes a JSON schema. */
  readonly jsonSchema: boolean;
  /** Whether an image may be given by its url, beside as a data url. */
  readonly imageUrls: boolean;
  /** Whether a user's message may hold `file` parts (PDF). */
  readonly files: boolean;
  /** Ids of tool calls: `exactly` so many letters and digits, or any text of `atMost` so many characters. */
  readonly callIds: { readonly exactly: number } | { readonly atMost: number };
  /** Characters that a function's name may have. */
  readonly functionNameChars: number;
  /** Whether a user's message may follow a tool's. */
  readonly userAfterTool: boolean;
  /** What the first call of an assistant's message has to have beside its name and arguments. */
  readonly firstCallExtra: JsonObject;
}

type Quirks = Omit<Flavor, 'name'>;

/** https://platform.openai.com/docs/api-reference/chat/create, which the others follow but for what is said below. */
const OPENAI: Quirks = {
  // `max_tokens` is deprecated, and refused by reasoning models.
  maxTokensField: 'max_completion_tokens',
  streamOptions: true,
  // "Expected a string with maximum length 64": Claude Code's user_id has about 150. https://github.com/maximhq/bifrost/pull/1000
  userChars: 64,
  maxStops: 4,
  topK: false,
  efforts: ['low', 'medium', 'high', 'xhigh', 'max'],
  thinkingSwitch: false,
  // OpenAI tells no reasoning on this wire; gateways that pass for it use either field.
  reasoningFields: ['reasoning_content', 'reasoning'],
  reasoningInRequests: undefined,
  toolChoice: true,
  anyTool: 'required',
  parallelToolCalls: true,
  strictTools: true,
  jsonSchema: true,
  imageUrls: true,
  files: true,
  // "tool_calls[0].id: string too long. Expected a string with maximum length 40"
  callIds: { atMost: 40 },
  functionNameChars: 64,
  userAfterTool: true,
  firstCallExtra: {},
};

/** What the servers that imitate OpenAI have in common: the older field, no limits of OpenAI's own making. */
const COMPATIBLE: Quirks = {
  ...OPENAI,
  maxTokensField: 'max_tokens',
  userChars: Number.POSITIVE_INFINITY,
  efforts: ['low', 'medium', 'high'],
  strictTools: false,
  files: false,
  callIds: { atMost: Number.POSITIVE_INFINITY },
  functionNameChars: Number.POSITIVE_INFINITY,
};

const TABLE: Readonly<Record<FlavorName, Quirks>> = {
  openai: OPENAI,
  // https://learn.microsoft.com/azure/ai-foundry/openai/reference: the same service under another roof
  azure: { ...OPENAI, efforts: ['low', 'medium', 'high'] },
  // https://console.groq.com/docs/openai and https://console.groq.com/docs/reasoning: reasoning comes as `reasoning`
  groq: { ...COMPATIBLE, maxTokensField: 'max_completion_tokens', reasoningFields: ['reasoning'] },
  // https://api-docs.deepseek.com/guides/thinking_mode: low | high | max, and a turn with tool calls that comes back without its
  // reasoning_content is answered 400. https://api-docs.deepseek.com/api/create-chat-completion: up to 16 stops, no `user`,
  // no `parallel_tool_calls`, JSON mode without schema.
  deepseek: {
    ...COMPATIBLE,
    userChars: 0,
    maxStops: 16,
    efforts: ['low', 'high', 'max'],
    thinkingSwitch: true,
    reasoningFields: ['reasoning_content'],
    reasoningInRequests: 'reasoning_content',
    parallelToolCalls: false,
    jsonSchema: false,
  },
  // https://docs.ollama.com/api/openai-compatibility lists what is read; `tool_choice`, `user`, `parallel_tool_calls` and the url
  // of an image are not
  ollama: {
    ...COMPATIBLE,
    userChars: 0,
    maxStops: Number.POSITIVE_INFINITY,
    reasoningFields: ['reasoning', 'reasoning_content'],
    reasoningInRequests: 'reasoning',
    toolChoice: false,
    parallelToolCalls: false,
    imageUrls: false,
  },
  // https://docs.vllm.ai/en/stable/serving/openai_compatible_server and /features/reasoning_outputs: `reasoning`, which used to
  // be `reasoning_content` and was both for a while; `top_k` is one of its own sampling parameters
  vllm: {
    ...COMPATIBLE,
    maxStops: Number.POSITIVE_INFINITY,
    topK: true,
    reasoningFields: ['reasoning', 'reasoning_content'],
    reasoningInRequests: 'reasoning',
  },
  // https://docs.mistral.ai/api/: usage comes unasked, reasoning comes as content parts. What it refuses: stream_options and other
  // unknown fields (422, https://github.com/openai/openai-agents-python/issues/442), "Tool call id … must be a-z, A-Z, 0-9, with
  // a length of 9" (https://github.com/langchain-ai/langchain/pull/24668), "Unexpected role 'user' after role 'tool'"
  // (https://github.com/BerriAI/litellm/issues/17761).
  mistral: {
    ...COMPATIBLE,
    streamOptions: false,
    userChars: 0,
    maxStops: Number.POSITIVE_INFINITY,
    efforts: [],
    reasoningFields: [],
    anyTool: 'any',
    strictTools: true,
    callIds: { exactly: 9 },
    userAfterTool: false,
  },
  // https://docs.x.ai/docs/api-reference
  xai: { ...COMPATIBLE, reasoningFields: ['reasoning_content'] },
  // https://ai.google.dev/gemini-api/docs/openai: neither `user` nor `parallel_tool_calls`, images as data. A call of Gemini 3 that
  // comes back without its signature is answered 400; Messages has no place for one, and for calls without there is a word:
  // https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
  gemini: {
    ...COMPATIBLE,
    userChars: 0,
    maxStops: 5,
    parallelToolCalls: false,
    imageUrls: false,
    functionNameChars: 64,
    firstCallExtra: { extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } },
  },
};

/** @returns what is known of an upstream kind; `openai` is the default of the resource's field `flavor` */
export function flavorOf(name: FlavorName): Flavor {
  return { name, ...TABLE[name] };
}
