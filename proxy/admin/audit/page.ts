/** The page for people: its parts put into one document, and the policy that lets a browser run these and nothing else. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface Page {
  readonly html: string;
  /** Value of content-security-policy. */
  readonly policy: string;
}

const NAMES = ['page.html', 'page.css', 'elements.js', 'timing.js', 'page.js'] as const;
/** As sources they lie in a folder here; in a bundle beside it, under names that say whose they are. */
const PREFIX = import.meta.url.endsWith('.ts') ? './page/' : './audit-';

let page: Promise<Page> | undefined;

/** Read once. */
export function readPage(): Promise<Page> {
  page ??= assemble().catch((error: unknown) => {
    page = undefined;
    throw error;
  });
  return page;
}

async function assemble(): Promise<Page> {
  const [html = '', style = '', ...scripts] = await Promise.all(NAMES.map(read));
  const script = joined(scripts);
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(style)}`,
    `script-src ${hashOf(script)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
  const whole = html
    .replace('<!-- style -->', () => `<style>${style}</style>`)
    .replace('<!-- script -->', () => `<script type="module">${script}</script>`);
  return { html: whole, policy };
}

/** Modules, each after those that it imports, become one that needs no other; imports and exports are words at a line's beginning. */
function joined(modules: readonly string[]): string {
  return modules
    .join('')
    .replaceAll(/^import .*$/gm, '')
    .replaceAll(/^export /gm, '');
}

function read(name: string): Promise<string> {
  return readFile(new URL(PREFIX + name, import.meta.url), 'utf8');
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
