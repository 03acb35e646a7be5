/** Makes topics of a test's broker, and reads what is in them. */
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Admin, Consumer, MessagesStreamModes } from '@platformatic/kafka';

export async function makeTopic(t: TestContext, broker: string, topic: string, partitions = 3): Promise<void> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker] });
  t.after(() => admin.close());
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
}

export interface Message {
  readonly key: string;
  readonly value: string;
  readonly partition: number;
}

/**
 * The topic's first messages, in the order of their keys, each once.
 * @param count of messages that differ: one that the client sent again, as a busy broker may make it, is the same message
 */
export async function messagesOf(t: TestContext, broker: string, topic: string, count: number): Promise<Message[]> {
  const found = new Map<string, Message>();
  for await (const message of messages(t, broker, topic)) {
    found.set(Object.values(message).join(' '), message);
    if (found.size === count) break;
  }
  return [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Every message that the topic holds now, as often as it is there. */
export async function everyMessageOf(t: TestContext, broker: string, topic: string): Promise<Message[]> {
  const offsets = await consumerOf(t, broker).listOffsets({ topics: [topic] });
  const count = [...offsets.values()].flat().reduce((sum, offset) => sum + Number(offset), 0);
  const found: Message[] = [];
  if (count === 0) return found;
  for await (const message of messages(t, broker, topic)) {
    found.push(message);
    if (found.length === count) break;
  }
  return found;
}

async function* messages(t: TestContext, broker: string, topic: string): AsyncGenerator<Message> {
  const stream = await consumerOf(t, broker).consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 100,
  });
  for await (const { key, value, partition } of stream) {
    yield { key: String(key), value: String(value), partition };
  }
}

function consumerOf(t: TestContext, broker: string): Consumer {
  // A group of its own: nobody waits for a reader that was there before.
  const consumer = new Consumer({
    clientId: 'test',
    groupId: randomUUID(),
    bootstrapBrokers: [broker],
    timeout: 20_000,
  });
  t.after(() => consumer.close(true));
  return consumer;
}
