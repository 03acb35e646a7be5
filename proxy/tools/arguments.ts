/** A model's arguments against the tool's JSON Schema: what does not fit never reaches the tool, and the model is told why. */
import type { ValidateFunction } from 'ajv';
import { linearPatterns } from './linear-patterns.ts';
import { MOST_LEVELS, nestsTooDeep } from './nesting.ts';
import type { Json } from './tool.ts';

export type ReadArguments =
  | { readonly ok: true; readonly args: Json }
  /** What is wrong, for the model. */
  | { readonly ok: false; readonly problem: string };

export type ArgumentReader = (text: string) => ReadArguments;

const MOST_PROBLEMS = 8;

/** @throws Error when the schema cannot be used */
export async function argumentReader(schema: Json): Promise<ArgumentReader> {
  // The newest draft understands the older ones' usual words; a `$schema` of another draft would be looked up and not found.
  // By its default export: of a CommonJS module, the image's bundle has no other.
  const { default: drafts } = await import('ajv/dist/2020.js');
  const regExp = await linearPatterns();
  const { $schema: _draft, $id: _id, ...plain } = schema;
  const ajv = new drafts.Ajv2020({
    strict: false,
    allErrors: true,
    validateFormats: false,
    logger: false,
    code: { regExp },
  });
  const validate = ajv.compile(plain);
  return (text) => readArguments(text, validate);
}

function readArguments(text: string, validate: ValidateFunction): ReadArguments {
  let args: unknown;
  // A schema that names itself is checked level by level.
  if (nestsTooDeep(text)) return { ok: false, problem: `The arguments nest more than ${MOST_LEVELS} levels deep` };
  try {
    args = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    return { ok: false, problem: 'The arguments are no valid JSON' };
  }
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    return { ok: false, problem: 'The arguments must be a JSON object' };
  }
  if (validate(args)) return { ok: true, args: args as Json };
  const problems = (validate.errors ?? []).slice(0, MOST_PROBLEMS).map(describe);
  return { ok: false, problem: `The arguments do not fit the tool's schema: ${problems.join('; ')}` };
}

function describe({ instancePath, message, keyword, params }: NonNullable<ValidateFunction['errors']>[number]): string {
  const more = keyword === 'additionalProperties' ? ` ("${String(params['additionalProperty'])}")` : '';
  return `${instancePath === '' ? 'the object' : instancePath} ${message ?? 'is wrong'}${more}`;
}
