/** A conversation with a tool through the Anthropic SDK: each turn streams, a call is answered in the next one. */
import Anthropic from '@anthropic-ai/sdk';

export interface Turn {
  readonly stopReason: string | null;
  readonly call?: { readonly name: string; readonly input: unknown };
  readonly text: string;
}

const TOOL: Anthropic.Tool = {
  name: 'weather',
  description: 'The weather of a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

/** @param models one a turn */
export async function converse(models: readonly string[], prompt: string, onTurn: (turn: Turn) => void): Promise<void> {
  const client = new Anthropic({ maxRetries: 0 });
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: prompt }];
  for (const model of models) {
    const message = await client.messages.stream({ model, max_tokens: 1024, messages, tools: [TOOL] }).finalMessage();
    const call = message.content.find((block) => block.type === 'tool_use');
    const text = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    onTurn({ stopReason: message.stop_reason, ...(call && { call: { name: call.name, input: call.input } }), text });
    messages.push({ role: 'assistant', content: message.content });
    if (call === undefined) return;
    messages.push({ role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'Sunny' }] });
  }
}
