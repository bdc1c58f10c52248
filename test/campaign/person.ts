import type { ArtifactSource, StandaloneResult, UpdateEngine } from "../../agent/update/index.ts";

/** How a person ends an installation by hand. */
export type Plan = "commit" | "rollback";

/** How often a person starts again after the device went down before the installation. */
const INSTALLS_MAX = 20;

/** A person who installs by hand. Remembers, as the server does, what the device does not. */
export class Person {
  readonly plan: Plan | undefined;
  installs: number;
  /** The result that the person saw. */
  told: string | undefined;

  constructor(plan: Plan | undefined, from?: Person) {
    this.plan = plan;
    this.installs = from?.installs ?? 0;
    this.told = from?.told;
  }

  /** Everything on which what the person does depends. */
  get identity(): string {
    return `${this.installs} ${this.told}`;
  }

  clone(): Person {
    return new Person(this.plan, this);
  }

  /**
   * Do what is to be done next.
   * @param installed Whether the device says that the artifact is installed.
   * @returns True to go on at once; false when nothing is left to do; `reboot` to restart the device first.
   */
  async act(engine: UpdateEngine, artifact: ArtifactSource, installed: boolean): Promise<boolean | "reboot"> {
    if (this.plan === undefined) return false;
    const result = await this.#step(engine, artifact, installed);
    if (result === undefined || result.kind === "interrupted") return false;
    if (result.kind === "awaiting-commit") return result.rebootNeeded ? "reboot" : true;
    if (result.kind === "none-in-progress" || result.kind === "wrong-state") return true;
    if (result.kind === "rollback-unsupported") return true;
    if (result.kind === "failed" && result.failure.code === "update-in-progress") return true;
    this.told = result.kind === "failed" ? `failed ${result.device}` : result.kind;
    return true;
  }

  async #step(
    engine: UpdateEngine,
    artifact: ArtifactSource,
    installed: boolean,
  ): Promise<StandaloneResult | undefined> {
    const { pending } = engine;
    if (pending !== undefined) {
      const wished = this.plan === "commit" ? await engine.commit() : await engine.rollback();
      const refused = wished.kind === "wrong-state" || wished.kind === "rollback-unsupported";
      return refused ? await engine.resumeInstall() : wished;
    }
    // Without a result, because the device went down, the person looks at the installed artifact.
    if (this.told !== undefined || installed || this.installs >= INSTALLS_MAX) return undefined;
    this.installs++;
    return await engine.install(artifact);
  }
}
