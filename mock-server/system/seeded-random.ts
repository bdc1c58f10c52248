import type { Random } from "@upkeep/shared/system";

/** Four words of state out of any text (FNV-1a over the text, finished by an avalanche step per word). */
function seedWords(text: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  const word = (): number => {
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash = (hash ^ (hash >>> 16)) + 0x9e3779b9;
    return hash | 0;
  };
  return [word(), word(), word(), word()];
}

/** Random numbers that a seed decides (the sfc32 generator). Not for secrets. */
export class SeededRandom implements Random {
  readonly seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: string | number) {
    this.seed = String(seed);
    [this.#a, this.#b, this.#c, this.#counter] = seedWords(this.seed);
    for (let round = 0; round < 12; round++) this.word();
  }

  /** All that decides what will be drawn. */
  get state(): string {
    return `${this.#a} ${this.#b} ${this.#c} ${this.#counter}`;
  }

  /** Another, independent series that the same seed decides: what one part draws does not move the others. */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.seed}/${label}`);
  }

  /** 32 random bits as a number from 0 to 2³²−1. */
  word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  fraction(): number {
    return this.word() / 2 ** 32;
  }

  /** Uniform in 0 … below−1. */
  integer(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of `choices`, which must not be empty. */
  oneOf<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError("there is nothing to choose from");
    return choices[this.integer(choices.length)] as T;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let index = 0; index < count; index++) bytes[index] = this.word() & 0xff;
    return bytes;
  }

  uuid(): string {
    const bytes = this.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = Buffer.from(bytes).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}
