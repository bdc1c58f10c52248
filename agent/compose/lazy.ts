/** All of them, in the order in which their modules were evaluated. */
const ALL: Lazy<unknown>[] = [];

/** A part of a module that is loaded on first use: an idle daemon does not hold it in memory. */
export class Lazy<Loaded> {
  readonly #load: () => Promise<Loaded>;
  #loaded: Loaded | undefined;

  constructor(load: () => Promise<Loaded>) {
    this.#load = load;
    ALL.push(this);
  }

  async get(): Promise<Loaded> {
    this.#loaded ??= await this.#load();
    return this.#loaded;
  }
}

/** Loads all of them now. A simulation does so first: loading takes real time, which its virtual time does not wait for. */
export async function loadEverything(): Promise<void> {
  // A module that is loaded here may add its own at the end.
  for (const lazy of ALL) await lazy.get();
}
