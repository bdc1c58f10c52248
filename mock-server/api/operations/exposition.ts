/*
 * Not prom-client: with kept label children it takes 0.9 µs of processor time a poll against 0.03 µs here, 3 % of what a
 * poll takes in all (Node 20), and brings 4.6 MB with two dependencies for these hundred lines.
 */

/** Labels and their values, in the order of the output. */
export type Labels = Readonly<Record<string, string>>;

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function series(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

function heading(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

/** A gauge in the text format of Prometheus. */
export function gauge(name: string, help: string, values: readonly (readonly [Labels, number])[]): string[] {
  return [...heading(name, help, "gauge"), ...values.map(([labels, value]) => `${series(name, labels)} ${value}`)];
}

/** A counter with labels. */
export class Counter {
  readonly #name: string;
  readonly #help: string;
  readonly #counts = new Map<string, number>();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  add(labels: Labels, amount = 1): void {
    this.of(labels)(amount);
  }

  /** The series of these labels. Hot callers keep it, and save the look-up. */
  of(labels: Labels): (amount: number) => void {
    const key = series(this.#name, labels);
    return (amount) => {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + amount);
    };
  }

  lines(): string[] {
    return [...heading(this.#name, this.#help, "counter"), ...[...this.#counts].map(([key, n]) => `${key} ${n}`)];
  }
}

interface Distribution {
  readonly labels: Labels;
  /** Observations per bucket, not cumulative. */
  readonly within: number[];
  count: number;
  sum: number;
}

/** A histogram with labels. */
export class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #distributions = new Map<string, Distribution>();

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    this.of(labels)(value);
  }

  /** The series of these labels. Hot callers keep it, and save the look-up. */
  of(labels: Labels): (value: number) => void {
    const key = series(this.#name, labels);
    const known = this.#distributions.get(key);
    const distribution = known ?? { labels, within: this.#bounds.map(() => 0), count: 0, sum: 0 };
    if (known === undefined) this.#distributions.set(key, distribution);
    return (value) => {
      const bounds = this.#bounds;
      let index = 0;
      while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1;
      if (index < bounds.length) distribution.within[index] = (distribution.within[index] ?? 0) + 1;
      distribution.count += 1;
      distribution.sum += value;
    };
  }

  lines(): string[] {
    return [
      ...heading(this.#name, this.#help, "histogram"),
      ...[...this.#distributions.values()].flatMap((distribution) => this.#distributionLines(distribution)),
    ];
  }

  #distributionLines({ labels, within, count, sum }: Distribution): string[] {
    let total = 0;
    const buckets = this.#bounds.map((bound, index) => {
      total += within[index] ?? 0;
      return `${series(`${this.#name}_bucket`, { ...labels, le: String(bound) })} ${total}`;
    });
    return [
      ...buckets,
      `${series(`${this.#name}_bucket`, { ...labels, le: "+Inf" })} ${count}`,
      `${series(`${this.#name}_sum`, labels)} ${sum}`,
      `${series(`${this.#name}_count`, labels)} ${count}`,
    ];
  }
}
