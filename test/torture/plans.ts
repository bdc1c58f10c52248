import type { Compression, StateScript } from "@upkeep/shared/artifact";
import type { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import { artifactBytes, sourceFile } from "../agent/support/artifacts.ts";
import { MODULES, type ModuleName, stateScript } from "./modules.ts";

const SCRIPTS = ["ArtifactInstall_Enter", "ArtifactInstall_Leave", "ArtifactCommit_Enter", "ArtifactFailure_Enter"];
/** What fails in a deployment that is to fail: a call of the module, or a state script. */
const FAILURES: Readonly<Record<ModuleName, readonly string[]>> = {
  slots: ["ArtifactInstall", "ArtifactVerifyReboot", "ArtifactCommit", "ArtifactInstall_Leave", "ArtifactCommit_Enter"],
  keeper: ["ArtifactInstall", "ArtifactCommit", "ArtifactInstall_Enter", "ArtifactCommit_Enter"],
  "single-file": ["ArtifactInstall", "ArtifactInstall_Enter", "ArtifactInstall_Leave", "ArtifactCommit_Enter"],
};
const COMPRESSIONS: readonly Compression[] = ["none", "gzip"];

/** One deployment. */
export interface Plan {
  readonly artifactName: string;
  readonly module: ModuleName;
  /** What fails on purpose. */
  readonly fails: string | undefined;
  /** What the module takes of the small disk in ArtifactInstall, and gives back in Cleanup. */
  readonly fills: "blocks" | "inodes" | undefined;
  readonly sizeBytes: number;
  readonly scripts: boolean;
  readonly compression: Compression;
}

export function drawPlan(chance: SeededRandom, artifactName: string): Plan {
  const module = chance.oneOf(MODULES);
  return {
    artifactName,
    module,
    fails: chance.happens(0.35) ? chance.oneOf(FAILURES[module]) : undefined,
    fills: module === "keeper" && chance.happens(0.5) ? chance.oneOf(["blocks", "inodes"]) : undefined,
    sizeBytes: chance.oneOf([100, 20_000, 300_000, 1_500_000]),
    scripts: chance.happens(0.7),
    compression: chance.oneOf(COMPRESSIONS),
  };
}

export function describePlan({ artifactName, module, fails, fills, sizeBytes, compression }: Plan): string {
  const aim = fails === undefined ? "is good" : `fails in ${fails}`;
  const takes = fills === undefined ? "" : `, takes all ${fills}`;
  return `${artifactName}: ${module}, ${sizeBytes} bytes, ${compression}, ${aim}${takes}`;
}

/** Single files of the payload that say where another one belongs. */
function directions(softwareDirectory: string): Readonly<Record<string, string>> {
  return { dest_dir: `${softwareDirectory}\n`, filename: "single-file\n", permissions: "644\n" };
}

export async function artifactOf(plan: Plan, softwareDirectory: string): Promise<Buffer> {
  const { artifactName, module, fails, fills, sizeBytes, compression } = plan;
  // The version, and blanks that nothing reads.
  const content = artifactName.padEnd(sizeBytes);
  const files =
    module === "single-file" ? { ...directions(softwareDirectory), "single-file": content } : { software: content };
  const sets = plan.scripts ? SCRIPTS : SCRIPTS.filter((set) => set === fails);
  const scripts = sets.map(
    (set): StateScript => ({
      name: `${set}_00`,
      content: Buffer.from(stateScript(artifactName, set, set === fails)),
    }),
  );
  return await artifactBytes({
    kind: "module-image",
    type: module,
    artifactName,
    deviceTypes: ["board"],
    files: Object.entries(files).map(([name, text]) => sourceFile(name, text)),
    scripts,
    compression,
    metaDataJson: JSON.stringify({ fail: fails ?? "", fill: fills ?? "" }),
  });
}
