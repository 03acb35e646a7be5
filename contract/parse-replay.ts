/** Parses the compiled form of an upstream that plays recorded answers. */
import type { CompiledReplay } from './compiled-replay.ts';
import { at, type Place, readName, readObject } from './parse-fields.ts';

const MOST_SPEED = 1000;

export function readReplay(value: unknown, place: Place): CompiledReplay {
  const fields = readObject(value, place);
  return {
    path: readRelativePath(fields['path'], at(place, 'path')),
    speed: readSpeed(fields['speed'], at(place, 'speed')),
  };
}

/** That it also is below the state directory when links are followed, is looked at when the file is opened. */
function readRelativePath(value: unknown, place: Place): string {
  const path = readName(value, place);
  if (path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) {
    place.problems.push({ path: place.path, message: `Expected a relative path without "..", got "${path}"` });
  }
  return path;
}

function readSpeed(value: unknown, place: Place): number {
  if (typeof value === 'number' && value >= 0 && value <= MOST_SPEED) return value;
  place.problems.push({ path: place.path, message: `Expected a number from 0 to ${MOST_SPEED}` });
  return 1;
}
