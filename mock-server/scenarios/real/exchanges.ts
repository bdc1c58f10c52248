import type { RequestKind } from "../../faults/language/request-kinds.ts";

/** One exchange of a device that is under way. */
export interface OpenExchange {
  /** Waits for a time of the scenario, or for the device: meanwhile it does not hold up the time. */
  held<T>(wait: Promise<T>): Promise<T>;
  end(): void;
}

/** The exchanges of one device that are under way. */
export class Exchanges {
  readonly #open = new Set<{ readonly kind: RequestKind; waits: number }>();
  readonly #changed: () => void;

  /** @param changed Called when a wait begins or ends. */
  constructor(changed: () => void = () => undefined) {
    this.#changed = changed;
  }

  begin(kind: RequestKind): OpenExchange {
    const exchange = { kind, waits: 0 };
    this.#open.add(exchange);
    return {
      held: async (wait) => {
        exchange.waits++;
        this.#changed();
        try {
          return await wait;
        } finally {
          exchange.waits--;
          this.#changed();
        }
      },
      end: () => void this.#open.delete(exchange),
    };
  }

  /** The number of those that wait. */
  get held(): number {
    return [...this.#open].filter(({ waits }) => waits > 0).length;
  }

  /** The number of the others, without those of these kinds. */
  movingBut(...kinds: readonly RequestKind[]): number {
    return [...this.#open].filter(({ kind, waits }) => waits === 0 && !kinds.includes(kind)).length;
  }
}
