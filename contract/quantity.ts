/** Quantities of processor and memory as Kubernetes writes them, of the forms that a StreamProxy allows. */

const QUANTITY = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const THOUSANDTHS = {
  m: 1,
  '': 1000,
  k: 1000 ** 2,
  M: 1000 ** 3,
  G: 1000 ** 4,
  T: 1000 ** 5,
  Ki: 1000 * 1024,
  Mi: 1000 * 1024 ** 2,
  Gi: 1000 * 1024 ** 3,
  Ti: 1000 * 1024 ** 4,
} as const;

/**
 * Compares two quantities such as `500m` and `0.5`, or `1Gi` and `1024Mi`.
 * @returns less than 0, 0, or more than 0, as a comparison for sorting does; NaN where one has another form
 */
export function compareQuantities(a: string, b: string): number {
  return thousandths(a) - thousandths(b);
}

function thousandths(text: string): number {
  const match = QUANTITY.exec(text);
  if (!match) return Number.NaN;
  return Number(match[1]) * THOUSANDTHS[(match[2] ?? '') as keyof typeof THOUSANDTHS];
}
