/** `npm run ok`: the quick gate, under a minute. */
import { printStage, quickGate } from './test-runner/gate.ts';

const results = await quickGate();
console.log('');
for (const result of results) printStage(result);
process.exitCode = results.every((result) => result.ok) ? 0 : 1;
