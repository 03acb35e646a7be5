"""The Python SDKs' accumulators on answers of a tool loop; prints what they put together as one JSON object."""

import json

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "What?"}]
seen = {}

with anthropic.Anthropic(max_retries=0).messages.stream(model="m", max_tokens=99, messages=MESSAGES) as stream:
    message = stream.get_final_message()
    seen["messages"] = [[block.text for block in message.content], message.stop_reason, message.usage.output_tokens]

with openai.OpenAI(max_retries=0).chat.completions.stream(
    model="m", messages=MESSAGES, stream_options={"include_usage": True}
) as stream:
    completion = stream.get_final_completion()
    choice = completion.choices[0]
    seen["chat"] = [choice.message.content, choice.finish_reason, completion.usage.completion_tokens]

print(json.dumps(seen))
