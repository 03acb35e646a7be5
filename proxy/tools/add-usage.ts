/** Usage over several turns: counts add up, everything else is the last turn's word. */
import { type Json, membersOf } from './tool.ts';

/** Reports inside one turn are cumulative: per field the last that is not null wins. */
export function laterReport(earlier: Json | undefined, later: unknown): Json | undefined {
  const fields = Object.entries(membersOf(later)).filter(([, value]) => value !== null && value !== undefined);
  if (fields.length === 0) return earlier;
  return { ...earlier, ...Object.fromEntries(fields) };
}

export function addUsage(sum: Json | undefined, usage: Json | undefined): Json | undefined {
  if (sum === undefined || usage === undefined) return usage ?? sum;
  const total: Record<string, unknown> = { ...sum };
  for (const [name, value] of Object.entries(usage)) total[name] = add(sum[name], value);
  return total;
}

function add(sum: unknown, value: unknown): unknown {
  if (typeof sum === 'number' && typeof value === 'number') return sum + value;
  if (value === null || value === undefined) return sum;
  if (typeof sum !== 'object' || sum === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return addUsage(membersOf(sum), membersOf(value));
}

export function count(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}
