/** Which Secrets a log target names, and at which field: the one list that references, findings and compiled files go by. */
import type { StreamProxy } from './resources.ts';

export type TargetSpec = NonNullable<NonNullable<StreamProxy['spec']['logging']>['targets']>[number];

/** The part of a target that holds one reference. */
interface Holder {
  readonly secret: { readonly name: string; readonly key: string };
}

/** Every Secret reference of a target with the path of its field below the target, such as `http.hmac`. */
export function targetSecrets(target: TargetSpec): (readonly [field: string, secret: Holder['secret']])[] {
  const { http, postgres, otlp, kafka, s3 } = target;
  const holders: [string, Holder | undefined][] = [
    ['http.credential', http?.credential],
    ['http.hmac', http?.hmac],
    ['http.tls.ca', http?.tls?.ca],
    ['postgres.dsn', postgres?.dsn],
    ['postgres.tls.ca', postgres?.tls?.ca],
    ['otlp.credential', otlp?.credential],
    ['otlp.tls.ca', otlp?.tls?.ca],
    ['kafka.sasl.username', kafka?.sasl?.username],
    ['kafka.sasl.password', kafka?.sasl?.password],
    ['kafka.tls.ca', kafka?.tls?.ca],
    ['s3.credentials.accessKeyId', s3?.credentials.accessKeyId],
    ['s3.credentials.secretAccessKey', s3?.credentials.secretAccessKey],
    ['s3.credentials.sessionToken', s3?.credentials.sessionToken],
    ['s3.tls.ca', s3?.tls?.ca],
  ];
  return holders.flatMap(([field, holder]) => (holder ? [[field, holder.secret] as const] : []));
}
