/** The header by which a tool's server knows us. */
import type { ToolCredential } from '#contract/compiled-tool-loop.ts';

/** @param secrets file name → bare credential. @throws Error when it was not delivered: nothing is sent without it */
export function credentialHeaders(
  credential: ToolCredential | undefined,
  secrets: ReadonlyMap<string, string>,
): Record<string, string> {
  if (credential === undefined) return {};
  const value = secrets.get(credential.file);
  if (value === undefined || value === '') throw new Error('The credential of this tool is not there');
  return { [credential.header]: credential.scheme === 'bearer' ? `Bearer ${value}` : value };
}
