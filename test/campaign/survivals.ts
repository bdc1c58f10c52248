import type { Survival } from "../../mock-server/scenarios/simulation/index.ts";

/** Of a write of more than one byte: lost, kept, its first half, or zeros in its place. Of all else: not, or done. */
const WRITE_FATES = 4;
const FATES = 2;

/** The ways in which a power cut may be decided, life after life. */
export abstract class Ways implements Survival {
  /** True once this life has answered anything in another way than the life before it. */
  abstract readonly differs: boolean;
  /** The answers of this life: they replay it. */
  abstract readonly branch: readonly number[];
  /** Turn to the next way. @returns False if there is none. */
  abstract next(): boolean;
  /** Decides about a change. @returns A number below `of`. */
  protected abstract answer(of: number): number;

  name(): boolean {
    return this.answer(FATES) === 1;
  }

  mode(): boolean {
    return this.answer(FATES) === 1;
  }

  write(change: Parameters<Survival["write"]>[0]): ReturnType<Survival["write"]> {
    const answer = this.answer(change.kind === "write" && change.data.length > 1 ? WRITE_FATES : FATES);
    if (answer === 0) return "lost";
    if (answer === 1 || change.kind !== "write") return "kept";
    return answer === 2 ? { keptBytes: change.data.length >> 1, zeros: false } : { keptBytes: 0, zeros: true };
  }
}

/** A life must not ask for more than this; it would mean that something asks in a circle. */
const ASKED_MAX = 10_000;

/**
 * Every combination of changes that one power cut can leave, one life after the other. A disk asks about a change only
 * when the change is read (`Survival`), so a life follows one branch of the tree of answers, and {@link next} turns to
 * the next branch. A branch stands for all combinations that agree in the changes that were read: the simulation is
 * deterministic, so they lead to the same life, call by call. When `next` returns false, every combination is covered.
 */
export class EveryCombination extends Ways {
  #answers: { answer: number; readonly of: number }[] = [];
  #asked = 0;
  #repeated = 0;

  get differs(): boolean {
    return this.#asked >= this.#repeated;
  }

  get branch(): readonly number[] {
    return this.#answers.slice(0, this.#asked).map(({ answer }) => answer);
  }

  /** Begin with a branch that {@link branch} told. */
  follow(branch: readonly number[]): void {
    this.#answers = branch.map((answer) => ({ answer, of: 0 }));
  }

  next(): boolean {
    this.#answers.length = Math.min(this.#answers.length, this.#asked);
    this.#asked = 0;
    for (let last = this.#answers.pop(); last !== undefined; last = this.#answers.pop())
      if (last.answer + 1 < last.of) {
        this.#answers.push({ answer: last.answer + 1, of: last.of });
        this.#repeated = this.#answers.length;
        return true;
      }
    return false;
  }

  protected answer(of: number): number {
    const known = this.#answers[this.#asked];
    if (known === undefined) {
      if (this.#asked >= ASKED_MAX) throw new RangeError(`a life asked about more than ${ASKED_MAX} changes`);
      this.#answers.push({ answer: 0, of });
    }
    this.#asked++;
    return known?.answer ?? 0;
  }
}

/**
 * What a power cut leaves if all changes have the same fate: lost, kept, half of each write, zeros in the place of each.
 * For lives that read so much that there are thousands of combinations. {@link branch} replays as that of every
 * combination does.
 */
export class OneFateForAll extends Ways {
  readonly differs = true;
  #fate = 0;
  #branch: number[] = [];

  get branch(): readonly number[] {
    return this.#branch;
  }

  /** Turn to the next fate. @returns False if there is none, or if nothing was asked. */
  next(): boolean {
    const hasAsked = this.#branch.length > 0;
    this.#branch = [];
    this.#fate += 1;
    return hasAsked && this.#fate < WRITE_FATES;
  }

  protected answer(of: number): number {
    const answer = Math.min(this.#fate, of - 1);
    this.#branch.push(answer);
    return answer;
  }
}
