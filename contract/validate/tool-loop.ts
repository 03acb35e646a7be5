/** Rules about routes[].toolLoop and routes[].pacing that no single field proves: names, schemas, Secrets that are there. */

import { readWordDelay } from '../compile/tool-loop.ts';
import { workspaceToolName } from '../compiled-tool-loop.ts';
import { CONDITION_REASONS } from '../conditions.ts';
import type { Finding } from '../finding.ts';
import type { StreamProxy } from '../resources.ts';
import type { SecretLookup } from '../secrets.ts';
import { missingSecret } from './missing-secret.ts';

type Route = StreamProxy['spec']['routes'][number];
type ToolLoop = NonNullable<Route['toolLoop']>;
type Bare = Omit<Finding, 'part'>;

export function validateToolLoops(spec: StreamProxy['spec'], secrets: SecretLookup): Finding[] {
  return spec.routes.flatMap((route, index) => {
    const path = `spec.routes[${index}]`;
    const findings = [
      ...(route.toolLoop ? checkToolLoop(route.toolLoop, `${path}.toolLoop`, secrets) : []),
      ...(route.pacing ? checkPacing(route.pacing.wordDelay, `${path}.pacing.wordDelay`) : []),
    ];
    return findings.map((finding): Finding => ({ ...finding, part: { kind: 'route', name: route.name } }));
  });
}

function checkToolLoop(loop: ToolLoop, path: string, secrets: SecretLookup): Bare[] {
  const builtIn = new Set((loop.workspace?.allow ?? []).map(workspaceToolName));
  return [
    ...(loop.mcpServers ?? []).flatMap(({ url, secret }, index) =>
      checkServer(url, secret, `${path}.mcpServers[${index}]`, secrets),
    ),
    ...(loop.http ?? []).flatMap(({ name, url, inputSchema, secret }, index): Bare[] => {
      const place = `${path}.http[${index}]`;
      const findings = checkServer(url, secret, place, secrets);
      if (builtIn.has(name)) {
        findings.push(value(`${place}.name`, `"${name}" is the name of a workspace tool; choose another one.`));
      }
      if (inputSchema && inputSchema['type'] !== 'object') {
        const message = `The schema of tool "${name}" must have "type: object" at its top, as models send objects.`;
        findings.push(value(`${place}.inputSchema`, message));
      }
      return findings;
    }),
  ];
}

function checkServer(
  url: string,
  secret: { name: string; key: string } | undefined,
  path: string,
  secrets: SecretLookup,
): Bare[] {
  const missing = secret && missingSecret(`${path}.secret`, secret, secrets);
  const findings = missing ? [missing] : [];
  if (URL.canParse(url)) return findings;
  const message = `"${url}" is no valid URL; write scheme, host and path, for example http://tools.default.svc/mcp.`;
  return [...findings, { ...value(`${path}.url`, message), reason: CONDITION_REASONS.invalidUrl }];
}

function checkPacing(wordDelay: string, path: string): Bare[] {
  const { minMs, maxMs } = readWordDelay(wordDelay);
  if (minMs <= maxMs) return [];
  return [value(path, `"${wordDelay}" begins with its longer pause; write ${maxMs}ms-${minMs}ms.`)];
}

function value(path: string, message: string): Bare {
  return { kind: 'value', reason: CONDITION_REASONS.invalidToolLoop, path, message };
}
