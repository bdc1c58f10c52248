import type { ArtifactDefect } from "../../faults/effects/exchange.ts";
import { SeededRandom } from "../../system/seeded-random.ts";
import { type Devices, deviceNames, type Scenario } from "../file/index.ts";
import { SeededKey } from "../seeded-key.ts";
import { makeArtifact, type PayloadFormat, payloadOf, type ScriptMaker, scriptOf, signingKeys } from "./artifacts.ts";

/** Who a device of a scenario is. */
export interface DeviceIdentity {
  readonly name: string;
  readonly row: Devices;
  /** JSON text, as the device sends it. */
  readonly identity: string;
  readonly key: SeededKey;
}

/** All devices of a scenario, in its order. */
export function identitiesOf({ fleet, seed }: Scenario): DeviceIdentity[] {
  let number = 0;
  return fleet.flatMap((row) =>
    deviceNames(row).map((name) => {
      const digits = (++number).toString(16).padStart(8, "0").match(/../g) ?? [];
      const identity = JSON.stringify({ mac: ["02", "00", ...digits].join(":") });
      return { name, row, identity, key: new SeededKey(`${seed}/${name}`) };
    }),
  );
}

/** The size of the largest payload that has something in common with what the devices have; 0 if there is none. */
export function alikeBytesOf({ releases }: Scenario): number {
  const alike = releases.flatMap(({ artifacts }) => artifacts).filter((artifact) => artifact.alike !== undefined);
  return Math.max(0, ...alike.map(({ payload }) => payload));
}

/** Room for the largest payload of a scenario, and some more. */
export function slotBytesOf({ releases }: Scenario): number {
  const sizes = releases.flatMap(({ name, artifacts }) => artifacts.map((one) => payloadOf(name, one).length));
  return Math.max(4096, ...sizes) + 1024;
}

/** Reads the file of an artifact. */
export type ReadArtifact = (path: string) => Promise<Uint8Array>;

/** The artifacts of a scenario's releases, each made once. */
export class ReleaseArtifacts {
  readonly #scenario: Scenario;
  readonly #read: ReadArtifact;
  readonly #script: ScriptMaker;
  readonly #made = new Map<string, Promise<Uint8Array>>();

  readonly #format: PayloadFormat | undefined;

  /**
   * @param script What state scripts are; default: those of simulated devices.
   * @param format Default: that of simulated devices.
   */
  constructor(scenario: Scenario, read: ReadArtifact, script: ScriptMaker = scriptOf, format?: PayloadFormat) {
    this.#format = format;
    this.#scenario = scenario;
    this.#read = read;
    this.#script = script;
  }

  /** PEM of the key that signed ones are verified with. */
  get verifyKey(): string {
    return signingKeys(this.#scenario.seed).trusted.publicPem;
  }

  /** @param place Which artifact of which release, from 0. */
  get(place: readonly [release: number, artifact: number], defect?: ArtifactDefect): Promise<Uint8Array> {
    const key = `${place.join("/")}/${defect ?? ""}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = this.#make(place, defect);
    this.#made.set(key, made);
    return made;
  }

  async #make([release, artifact]: readonly [number, number], defect: ArtifactDefect | undefined): Promise<Uint8Array> {
    const found = this.#scenario.releases[release];
    const wanted = found?.artifacts[artifact];
    if (found === undefined || wanted === undefined) throw new Error(`there is no artifact ${release}/${artifact}`);
    if (wanted.file !== undefined) return await this.#read(wanted.file);
    return await makeArtifact(found.name, wanted, this.#scenario.seed, defect, this.#script, this.#format);
  }
}

/** The chance of a part of a scenario's run. */
export function chanceOf(seed: string, part: string): SeededRandom {
  return new SeededRandom(`${seed}/${part}`);
}
