/** Errors of the Kafka client -> what the spool is told. Names of Kafka's error codes are passed on, messages are not. */
import type { KafkaTarget } from '#contract/compiled.ts';
import { NO_WAY, wayOut } from '../../unreachable.ts';
import { RefusedError } from './sink.ts';

/** Codes (kafka.apache.org/protocol, error codes) that speak of the content. */
const REFUSED = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD']);

const ADVICE: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'create the topic, or correct its name',
  TOPIC_AUTHORIZATION_FAILED: 'allow the user to write to the topic',
  CLUSTER_AUTHORIZATION_FAILED: 'allow the user to write to the topic',
  SASL_AUTHENTICATION_FAILED: 'check user name and password in the Secret, and the mechanism',
  UNSUPPORTED_SASL_MECHANISM: "correct the target's sasl.mechanism",
  PLT_KFK_AUTHENTICATION: 'check user name and password in the Secret, and the mechanism',
  NOT_ENOUGH_REPLICAS: 'too few replicas are in sync',
};

/** Brokers that a message names: it is cut at some length, and what to do stands behind them. */
const MOST_BROKERS = 2;

/** The brokers of a target, for messages. */
export function kafkaPlace({ brokers }: Pick<KafkaTarget, 'brokers'>): string {
  const shown = brokers.slice(0, MOST_BROKERS).map((broker) => `"${broker}"`);
  const rest = brokers.length - shown.length;
  return `Kafka at ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** What the client calls its own timeouts, and connections that break. */
const NETWORK = 'PLT_KFK_NETWORK';

/** @returns RefusedError for content that will never be taken, an Error without quotes of what was sent for the rest */
export function explainKafka(error: unknown, target: Pick<KafkaTarget, 'brokers' | 'caFile'>): Error {
  const codes = codesOf(error);
  const refused = codes.find((code) => REFUSED.has(code));
  if (refused !== undefined) return new RefusedError(`Kafka refused the records with ${refused}`);
  // The innermost says most: the others tell that something failed.
  const code = codes.find((each) => each in ADVICE) ?? codes.at(-1) ?? 'the connection broke';
  const advice = ADVICE[code] ?? (code === NETWORK ? NO_WAY : wayOut(code, target.caFile !== undefined));
  return new Error(`Cannot write to ${kafkaPlace(target)}: ${code}${advice === undefined ? '' : `; ${advice}`}`);
}

/** Codes of an error and of what it holds, from the outside inwards. */
function codesOf(error: unknown, depth = 0): string[] {
  if (!(error instanceof Error) || depth > 8) return [];
  const { apiId, code } = error as { readonly apiId?: unknown; readonly code?: unknown };
  const own = [code, apiId].filter((each) => typeof each === 'string');
  // The client keeps the broker's code for itself here.
  if (error.message.startsWith('Unknown topic ')) own.push('UNKNOWN_TOPIC_OR_PARTITION');
  const inner = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return [...own, ...[...inner, error.cause].flatMap((each) => codesOf(each, depth + 1))];
}
