/** A Kafka broker of one test file, in KRaft mode: one listener in plain text, one with TLS and SASL, a user for each mechanism. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type SelfSigned, selfSigned } from '../self-signed.ts';
import { cachedFolder } from './cache-folder.ts';
import { programFrom } from './debian-package.ts';
import { freePorts } from './free-port.ts';
import { ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const POM = join(import.meta.dirname, 'kafka/pom.xml');
/** Generous: jars are downloaded the first time. */
const INSTALL_TIMEOUT_MS = 600_000;
const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAA';

export interface KafkaPrograms {
  readonly java: string;
  /** Folder of the broker's jars. */
  readonly jars: string;
}

export interface KafkaServer {
  /** host:port in plain text, without authentication. */
  readonly plain: string;
  /** host:port with TLS, where a user is asked for. */
  readonly secure: string;
  readonly tls: SelfSigned;
  start(): Promise<unknown>;
  /** Ends it as a crash would. */
  stop(): Promise<void>;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

/** @returns undefined when Java or Maven cannot be had on this machine */
export async function kafkaPrograms(): Promise<KafkaPrograms | undefined> {
  const java = await programFrom('default-jre-headless', '/usr/bin/java');
  const maven = await programFrom('maven', '/usr/bin/mvn');
  if (java === undefined || maven === undefined) return undefined;
  const jars = await cachedFolder('kafka', [await readFile(POM, 'utf8')], async (folder) => {
    // A repository of its own: Maven's is not made for two at once.
    const repository = join(folder, 'repository');
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
    await run(maven, ['-q', '-B', '-f', POM, `-Dmaven.repo.local=${repository}`, ...goal], {
      timeout: INSTALL_TIMEOUT_MS,
    });
    await rm(repository, { recursive: true });
  });
  return { java, jars };
}

export interface KafkaUser {
  readonly name: string;
  readonly password: string;
}

/**
 * Makes a cluster of one broker and starts it.
 * @param user may log in by every mechanism
 * @param reachedBy given the secure listener's host:port, gives the one that clients are told
 */
export async function startKafka(
  { java, jars }: KafkaPrograms,
  user: KafkaUser,
  reachedBy: (secure: string) => Promise<string> = (secure) => Promise.resolve(secure),
): Promise<KafkaServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-kafka-'));
  const [plain = 0, secured = 0, controller = 0] = await freePorts(3);
  const ports = { plain, secure: secured, controller };
  const tls = selfSigned();
  const config = join(folder, 'server.properties');
  const secure = await reachedBy(`127.0.0.1:${ports.secure}`);
  await writeFile(config, properties(folder, ports, tls, user, secure), { mode: 0o600 });
  const jvm = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(jars, '*')];
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${user.name},password=${user.password}]`,
  ]);
  await run(java, [...jvm, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', config, ...scram]);
  const server = new ServerProcess({
    command: java,
    args: [...jvm, 'kafka.Kafka', config],
    ready: /Kafka Server started/,
    options: { cwd: folder },
  });
  await server.start();
  return {
    plain: `127.0.0.1:${ports.plain}`,
    secure,
    tls,
    start: () => server.start(),
    stop: () => server.stop(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Ports = Readonly<Record<'plain' | 'secure' | 'controller', number>>;

function properties(
  folder: string,
  ports: Ports,
  { cert, key }: SelfSigned,
  { name, password }: KafkaUser,
  advertised: string,
): string {
  const pem = (text: string): string => text.trim().replaceAll('\n', '\\n');
  const sasl = 'listener.name.secure';
  const login = 'org.apache.kafka.common.security';
  const lines = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    listeners: `PLAIN://127.0.0.1:${ports.plain},SECURE://127.0.0.1:${ports.secure},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAIN://127.0.0.1:${ports.plain},SECURE://${advertised}`,
    'listener.security.protocol.map': 'PLAIN:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAIN',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'auto.create.topics.enable': false,
    // Nobody waits for members of a group that is never larger, or for a broker that was killed and comes back.
    'group.initial.rebalance.delay.ms': 0,
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': pem(cert),
    'ssl.keystore.key': pem(key),
    [`${sasl}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`${sasl}.plain.sasl.jaas.config`]: `${login}.plain.PlainLoginModule required user_${name}="${password}";`,
    [`${sasl}.scram-sha-256.sasl.jaas.config`]: `${login}.scram.ScramLoginModule required;`,
    [`${sasl}.scram-sha-512.sasl.jaas.config`]: `${login}.scram.ScramLoginModule required;`,
  };
  return Object.entries(lines)
    .map(([setting, value]) => `${setting}=${value}\n`)
    .join('');
}
