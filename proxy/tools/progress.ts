/** The words of progress. Each is sent before what it speaks of has ended. */
import { markProgress } from '#contract/progress.ts';

const MOST_NAMES = 8;

export function starting(): string {
  return markProgress('🔄 Starting…');
}

/** @param step model turn, from 2 */
export function thinking(step: number): string {
  return markProgress(`🤔 Thinking (step ${step})…`);
}

export function executing(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? ` +${names.length - MOST_NAMES}` : '';
  return markProgress(`🔧 Executing ${names.slice(0, MOST_NAMES).join(', ')}${more}…`);
}

export function running(name: string, position: number, total: number): string {
  return markProgress(`⚙️ ${name} (${position}/${total})`);
}
