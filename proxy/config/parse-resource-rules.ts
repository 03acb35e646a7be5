/** What JSON Schema cannot say: the CRD's CEL rules, and lists whose entries are told apart by a key. */
import type { Problem } from '#contract/finding.ts';
import { compareQuantities } from '#contract/quantity.ts';
import { isMap, type Place, places, type Schema, shown } from './parse-resource-value.ts';

type Evaluate = (rule: string, self: unknown) => boolean;

/**
 * Evaluates every rule at every place that it holds for.
 * @param value the resource, defaults filled in
 * @param tolerant the structure is wrong already: a rule that cannot be evaluated is passed over
 */
export async function checkRules(value: unknown, tolerant: boolean): Promise<Problem[]> {
  const { default: schema } = await import('#contract/streamproxy.schema.json', { with: { type: 'json' } });
  const evaluate = await celEvaluator();
  return [...places(schema as Schema, value)].flatMap((place) => [
    ...duplicates(place),
    ...brokenRules(place, evaluate, tolerant),
  ]);
}

function brokenRules({ schema, value, path }: Place, evaluate: Evaluate, tolerant: boolean): Problem[] {
  const self = toCel(value);
  return (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule, message }): Problem[] => {
    try {
      if (evaluate(rule, self)) return [];
    } catch (error) {
      if (tolerant) return [];
      throw error;
    }
    const text = shown(path, value);
    return [{ path, message: text === undefined ? message : `Invalid value: ${text}: ${message}` }];
  });
}

function duplicates({ schema, value, path }: Place): Problem[] {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (!keys || !Array.isArray(value)) return [];
  const firstIndex = new Map<string, number>();
  return value.flatMap((entry: unknown, index): Problem[] => {
    if (!isMap(entry) || keys.some((key) => entry[key] === undefined)) return [];
    const id = JSON.stringify(Object.fromEntries(keys.map((key) => [key, entry[key]])));
    const first = firstIndex.get(id);
    if (first === undefined) {
      firstIndex.set(id, index);
      return [];
    }
    const message = `Duplicate value: ${id}; ${path}[${first}] has the same ${keys.join(' and ')}, give each one of its own`;
    return [{ path: `${path}[${index}]`, message }];
  });
}

/** Whole numbers are CEL's int, so that `weight > 0` compares ints as in the API server. */
function toCel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toCel);
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toCel(member)]));
  return Number.isInteger(value) ? BigInt(value as number) : value;
}

/** The API server's CEL has quantities of Kubernetes; of these the rules need the comparison. */
class Quantity {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Rules are the CRD's own constants, so that each is parsed once and kept. */
async function celEvaluator(): Promise<Evaluate> {
  const { Environment } = await import('@marcbachmann/cel-js');
  const environment = new Environment({ unlistedVariablesAreDyn: true });
  environment.registerType('Quantity', Quantity);
  environment.registerFunction('quantity(string): Quantity', (text: string) => new Quantity(text));
  environment.registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) =>
    BigInt(Math.sign(compareQuantities(a.text, b.text))),
  );
  const parsed = new Map<string, ReturnType<typeof environment.parse>>();
  return (rule, self) => {
    const program = parsed.get(rule) ?? environment.parse(rule);
    parsed.set(rule, program);
    return program({ self }) === true;
  };
}
