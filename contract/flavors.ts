/** Kinds of OpenAI-compatible upstreams, as a resource names them. */

export const FLAVORS = ['openai', 'azure', 'groq', 'deepseek', 'ollama', 'vllm', 'mistral', 'xai', 'gemini'] as const;
export type FlavorName = (typeof FLAVORS)[number];
