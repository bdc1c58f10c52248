/** Randomness. The real doors use the kernel's generator; a simulation uses a seed. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** A random (version 4) UUID. */
  uuid(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}
