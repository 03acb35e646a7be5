/** Records of a proxy process, in the order in which it wrote them, and the gauge of what is in flight. */
import type { ExchangeRecord } from '../../../proxy/log/record.ts';
import type { ProxyProcess } from '../proxy-process.ts';

/** Takes the next `count` records; one after the other, as two takers at once would take the same one. */
export async function takeRecords(proxy: ProxyProcess, count: number): Promise<ExchangeRecord[]> {
  const records: ExchangeRecord[] = [];
  while (records.length < count) records.push((await proxy.takeRecord()) as unknown as ExchangeRecord);
  return records;
}

/** Takes the next record. */
export async function takeOne(proxy: ProxyProcess): Promise<ExchangeRecord> {
  return (await proxy.takeRecord()) as unknown as ExchangeRecord;
}

/** The sum over all labels of a metric's samples; 0 when there is none. */
export async function metricSum(proxy: ProxyProcess, name: string): Promise<number> {
  const { text } = await proxy.admin('/metrics');
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([-+.0-9e]+)`, 'gm'))];
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}

/** How many there are of each value, as `{value: count}` with the values sorted. */
export function counted(values: Iterable<string | number>): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
