"""Every call of the Python SDKs that the tests make, against the base URLs of the environment; prints one JSON object."""
import asyncio
import json
import os

import anthropic
import openai

MODEL = os.environ["MODEL"]
PROMPT = os.environ["PROMPT"]
MESSAGES = [{"role": "user", "content": PROMPT}]
seen = {}


def failure(call):
    """What an SDK raises: its class, status and request id."""
    try:
        call()
        return None
    except (anthropic.APIError, openai.APIError) as error:
        status = getattr(error, "status_code", None)
        return [type(error).__name__, status, getattr(error, "request_id", None)]


def with_anthropic():
    client = anthropic.Anthropic(max_retries=0)
    ask = {"model": MODEL, "max_tokens": 100, "messages": MESSAGES}
    seen["messages"] = client.messages.create(**ask).content[0].text
    with client.messages.stream(**ask) as stream:
        seen["messages stream"] = "".join(stream.text_stream)
        final = stream.get_final_message()
        seen["messages final"] = [final.content[0].text, final.stop_reason, final.usage.output_tokens]
    seen["count_tokens"] = client.messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens > 0
    seen["anthropic models"] = [model.id for model in client.models.list()]
    failing = {"anthropic 429": "scripted?status=429", "anthropic 404": "unrouted", "anthropic 502": "nowhere"}
    for name, model in failing.items():
        seen[name] = failure(lambda model=model: client.messages.create(**{**ask, "model": model}))


def with_openai():
    client = openai.OpenAI(max_retries=0)
    ask = {"model": MODEL, "messages": MESSAGES}
    seen["chat"] = client.chat.completions.create(**ask).choices[0].message.content
    with client.chat.completions.stream(**ask) as stream:
        final = stream.get_final_completion()
        seen["chat final"] = [final.choices[0].message.content, final.choices[0].finish_reason]
    seen["responses"] = client.responses.create(model=MODEL, input=PROMPT).output_text
    with client.responses.stream(model=MODEL, input=PROMPT) as stream:
        final = stream.get_final_response()
        seen["responses final"] = [final.output_text, final.status]
    seen["embeddings"] = len(client.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float").data)
    seen["openai models"] = [model.id for model in client.models.list()]
    failing = {"openai 429": "scripted?status=429", "openai 404": "unrouted", "openai 502": "nowhere"}
    for name, model in failing.items():
        seen[name] = failure(lambda model=model: client.chat.completions.create(**{**ask, "model": model}))


def translated():
    """Each client on an upstream of the other dialect, with a tool that is called in the stream."""
    city = {"type": "object", "properties": {"city": {"type": "string"}}}
    ask = {"max_tokens": 100, "messages": MESSAGES}
    with anthropic.Anthropic(max_retries=0) as client:
        with client.messages.stream(model="crossed?words=12&delay=0&chunk=7", **ask) as stream:
            final = stream.get_final_message()
            seen["translated messages"] = [final.content[0].text, final.stop_reason, final.usage.output_tokens]
        tools = [{"name": "weather", "input_schema": city}]
        with client.messages.stream(model="crossed?tool=1&delay=0", tools=tools, **ask) as stream:
            final = stream.get_final_message()
            seen["translated tool use"] = [final.content[0].name, final.content[0].input, final.stop_reason]
    with openai.OpenAI(max_retries=0) as client:
        with client.chat.completions.stream(model="crossed?words=12&delay=0&chunk=7", messages=MESSAGES) as stream:
            final = stream.get_final_completion()
            seen["translated chat"] = [final.choices[0].message.content, final.choices[0].finish_reason]
        tools = [{"type": "function", "function": {"name": "weather", "parameters": city}}]
        with client.chat.completions.stream(model="crossed?tool=1&delay=0", messages=MESSAGES, tools=tools) as stream:
            choice = stream.get_final_completion().choices[0]
            call = choice.message.tool_calls[0].function
            seen["translated tool call"] = [call.name, json.loads(call.arguments), choice.finish_reason]


async def asynchronously():
    """The asynchronous clients have transports of their own."""
    ask = {"model": MODEL, "max_tokens": 100, "messages": MESSAGES}
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        async with client.messages.stream(**ask) as stream:
            seen["async messages"] = (await stream.get_final_message()).content[0].text
    async with openai.AsyncOpenAI(max_retries=0) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        seen["async chat"] = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


with_anthropic()
with_openai()
translated()
asyncio.run(asynchronously())
print(json.dumps(seen))
