import type { AgentParts } from "upkeep/index.ts";

type Store = AgentParts["store"];

/** A store that remembers the device's provides until the fleet ends. The light engine keeps no journal. */
export class MemoryStore implements Store {
  readonly update = undefined;
  readonly last = undefined;
  readonly unreadable = undefined;
  #provides: NonNullable<Store["provides"]>;

  constructor(artifactName: string) {
    this.#provides = { artifact_name: artifactName };
  }

  get provides(): NonNullable<Store["provides"]> {
    return this.#provides;
  }

  async save({ provides }: Parameters<Store["save"]>[0]): Promise<void> {
    if (provides !== undefined) this.#provides = provides;
  }

  owe(provides: Parameters<Store["owe"]>[0]): void {
    this.#provides = provides;
  }

  async recover(): Promise<void> {
    // Nothing in memory can fail.
  }
}
