/** Sluice with a Messages client on a Chat Completions upstream, and on its own dialect beside it. */
import { prepareSources } from './ours.ts';
import { sluiceCommand, usualSpec } from './sluice-command.ts';
import type { Place, Subject } from './subject.ts';

export const sluiceTranslating: Subject = {
  name: 'sluice-translating',
  prepare: prepareSources,
  command: (place) => sluiceCommand(place, usualSpec(place, chatUpstream(place))),
};

/** A body is kept up to its bound, so memory follows a stream's length until then: here the bound is small. */
const smallBodies = {
  logging: {
    capture: { maxBodyBytes: '64Ki' },
    targets: [{ name: 'records', file: { path: 'records.ndjson' } }],
  },
};

export const sluiceSmallBodies: Subject = {
  name: 'sluice',
  prepare: prepareSources,
  command: (place) => sluiceCommand(place, usualSpec(place, smallBodies)),
};

export const sluiceTranslatingSmallBodies: Subject = {
  name: 'sluice-translating',
  prepare: prepareSources,
  command: (place) => sluiceCommand(place, usualSpec(place, { ...chatUpstream(place), ...smallBodies })),
};

function chatUpstream({ upstreamPort }: Place): Partial<ReturnType<typeof usualSpec>> {
  return {
    upstreams: [
      {
        name: 'upstream',
        dialect: 'openai',
        url: `http://127.0.0.1:${upstreamPort}/v1`,
        modelMap: [{ from: 'claude-*', to: 'gpt-bench' }],
      },
    ],
  };
}
