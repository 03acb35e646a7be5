/** Writes everything derived from crds/: contract/resources.ts, contract/streamproxy.schema.json and the chart's copies. */
import { writeDerived } from './derive.ts';

for (const path of await writeDerived(new URL('..', import.meta.url).pathname)) console.log(`wrote ${path}`);
