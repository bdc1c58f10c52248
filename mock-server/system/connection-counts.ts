/** Why a connection is not taken, or is closed by the server. */
export type ConnectionEnd = "too-many" | "too-many-from-address" | "idle-for-others" | "body-too-slow";

/** What a server counts of its connections. */
export class ConnectionCounts {
  readonly #ends = new Map<ConnectionEnd, number>([
    ["too-many", 0],
    ["too-many-from-address", 0],
    ["idle-for-others", 0],
    ["body-too-slow", 0],
  ]);
  /** Connections that are open now. */
  open = 0;
  /** Called for each connection that is refused or closed, if anything. */
  onEnd: ((why: ConnectionEnd, address: string) => void) | undefined;

  count(why: ConnectionEnd, address: string): void {
    this.#ends.set(why, this.ended(why) + 1);
    this.onEnd?.(why, address);
  }

  ended(why: ConnectionEnd): number {
    return this.#ends.get(why) ?? 0;
  }

  /** Everything that was refused or closed so far, by the reason. */
  ends(): readonly (readonly [ConnectionEnd, number])[] {
    return [...this.#ends];
  }
}
