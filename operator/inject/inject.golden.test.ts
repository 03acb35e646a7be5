/** Every pod of test/golden/inject through the model. The admission policy is held to the same files by the cluster tests. */
import { goldenTests } from '../../test/support/golden.ts';
import { GOLDEN_PROFILES } from '../../test/support/golden-profile.ts';
import { inject } from './inject.ts';
import type { Pod } from './pod.ts';

await goldenTests('inject', (input) => {
  const asked = (input as Pod).metadata.annotations?.['sluice.dev/inject'];
  const { decision, pod } = inject(
    input as Pod,
    GOLDEN_PROFILES.find(({ metadata }) => metadata.name === asked),
  );
  switch (decision.kind) {
    case 'inject':
      return { decision: 'inject', pod };
    case 'skip':
      return { decision: 'skip', reason: decision.reason };
    case 'refuse':
      return { decision: 'refuse', reason: decision.reason, message: decision.message };
  }
});
