/** Makes topics of a test's broker, and reads what is in them. */
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

/** The topic's first messages, in the order of their keys. */
export async function messagesOf(t: TestContext, broker: string, topic: string, count: number): Promise<Message[]> {
  const consumer = new Consumer({
    clientId: 'test',
    groupId: `group-${topic}-${count}`,
    bootstrapBrokers: [broker],
    timeout: 20_000,
  });
  t.after(() => consumer.close(true));
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 100,
  });
  const found: Message[] = [];
  for await (const { key, value, partition } of stream) {
    found.push({ key: String(key), value: String(value), partition });
    if (found.length === count) break;
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}
