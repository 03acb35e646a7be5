/** Errors of the Kafka client -> what the spool is told. Names of Kafka's error codes are passed on, messages are not. */
import { wayOut } from '../../unreachable.ts';
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

/** @returns RefusedError for content that will never be taken, an Error without quotes for the rest */
export function explainKafka(error: unknown): Error {
  const codes = codesOf(error);
  const refused = codes.find((code) => REFUSED.has(code));
  if (refused !== undefined) return new RefusedError(`Kafka refused the records with ${refused}`);
  // The innermost says most: the others tell that something failed.
  const code = codes.find((each) => each in ADVICE) ?? codes.at(-1) ?? 'the connection broke';
  const advice = ADVICE[code] ?? wayOut(code);
  return new Error(`Cannot write to Kafka: ${code}${advice === undefined ? '' : `; ${advice}`}`);
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
