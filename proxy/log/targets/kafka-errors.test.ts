/** What is said of brokers that cannot be reached: which ones, and the way out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainKafka } from './kafka-errors.ts';
import { RefusedError } from './sink.ts';

const failure = (...codes: string[]): Error =>
  codes.reduceRight<Error>((cause, code) => Object.assign(new Error('canary', { cause }), { code }), new Error('end'));
const brokers = ['a:9092', 'b:9092', 'c:9092', 'd:9092'];

for (const [codes, target, message] of [
  [
    ['PLT_KFK_NETWORK', 'ECONNREFUSED'],
    { brokers: ['a:9092'] },
    'Cannot write to Kafka at "a:9092": ECONNREFUSED; start it, or correct the port of its address',
  ],
  [
    ['PLT_KFK_NETWORK'],
    { brokers },
    'Cannot write to Kafka at "a:9092", "b:9092" and 2 more: PLT_KFK_NETWORK; look whether it runs, and whether a NetworkPolicy or a firewall keeps us away',
  ],
  [
    ['SELF_SIGNED_CERT_IN_CHAIN'],
    { brokers: ['a:9092'], caFile: 'ca' },
    'Cannot write to Kafka at "a:9092": SELF_SIGNED_CERT_IN_CHAIN; its certificate is signed by none of the authorities in tls.ca; put the one that signed it there',
  ],
] as const) {
  test(`explainKafka() of ${codes.join(' by ')} names ${target.brokers.length} brokers and a way out`, () => {
    assert.equal(explainKafka(failure(...codes), target).message, message);
  });
}

test('explainKafka() tells content that will never be taken', () => {
  assert.ok(explainKafka(failure('PLT_KFK_MULTIPLE', 'MESSAGE_TOO_LARGE'), { brokers }) instanceof RefusedError);
});
