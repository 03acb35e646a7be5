/** A network target of the config -> its sink. Runs in the spool's thread; each kind is loaded when it is first used. */
import type { NetworkTarget } from '#contract/compiled-targets.ts';
import type { RecordSink } from '../targets/sink.ts';

/** File name beside config.json -> its content; at least those that the target names. */
export type Credentials = ReadonlyMap<string, string>;

export type OpenSink = (target: NetworkTarget, credentials: Credentials) => Promise<RecordSink>;

/** @throws Error when the target cannot be opened now; it is tried again as a failed write is */
export const openSink: OpenSink = async (target, credentials) => {
  switch (target.kind) {
    case 'http': {
      const { openHttpSink } = await import('../targets/http-sink.ts');
      return openHttpSink(target, credentials);
    }
    case 'postgres': {
      const { openPostgresSink } = await import('../targets/postgres-sink.ts');
      return openPostgresSink(target, credentials);
    }
    case 'otlp': {
      const { openOtlpSink } = await import('../targets/otlp-sink.ts');
      return openOtlpSink(target, credentials);
    }
    case 'kafka': {
      const { openKafkaSink } = await import('../targets/kafka-sink.ts');
      return openKafkaSink(target, credentials);
    }
    case 's3': {
      const { openS3Sink } = await import('../targets/s3-sink.ts');
      return openS3Sink(target, credentials);
    }
  }
};
