import type { Call } from "./device.ts";
import type { Plan } from "./plans.ts";

export const INCONSISTENT = "_INCONSISTENT";

/** What is known of a deployment that has come to its end. */
export interface Ended {
  readonly plan: Plan;
  /** As the server has it. */
  readonly status: string;
  /** What the module's part of the device ran before. */
  readonly before: string;
  readonly runs: { readonly now: string; readonly next: string };
  /** What the device told in the poll after the end. */
  readonly provides: Readonly<Record<string, string>>;
  readonly providesBefore: Readonly<Record<string, string>>;
  readonly calls: readonly Call[];
  readonly faults: number;
}

export function isInconsistent(provides: Readonly<Record<string, string>>): boolean {
  return provides.artifact_name?.endsWith(INCONSISTENT) ?? false;
}

function softwareFaults({ plan, status, before, runs, provides }: Ended): string[] {
  const { artifactName, module } = plan;
  const found: string[] = [];
  const say = (what: string): void => {
    found.push(`${what}: ${module} runs ${runs.now}, starts with ${runs.next}, and ran ${before} before`);
  };
  if (status === "success") {
    if (runs.now !== artifactName || runs.next !== artifactName) say("success, but not the new version");
    if (isInconsistent(provides)) say(`success, but the device calls itself ${provides.artifact_name}`);
  } else if (!isInconsistent(provides) && (runs.now !== before || runs.next !== before)) {
    say("failure, but not the version that ran before");
  }
  return found;
}

function callFaults({ plan: { artifactName, fails }, status, calls, faults }: Ended): string[] {
  const found: string[] = [];
  const own = calls.filter(({ artifact }) => artifact === artifactName);
  const last = (name: string, what: string): number =>
    own.findLastIndex((call) => call.name === name && call.what === what);
  const installed = last("ArtifactInstall", "begin");
  const committed = own.findIndex(({ name, what }) => name === "ArtifactCommit" && what === "0");
  if (status === "success" && committed === -1) found.push("success without an ArtifactCommit that went well");
  if (status === "success" && installed > committed) found.push("ArtifactInstall after a good ArtifactCommit");
  if (status === "success" && fails !== undefined) found.push(`success, though ${fails} fails`);
  if (status !== "success" && fails === undefined && faults === 0) found.push(`${status}, though nothing was wrong`);
  if (installed !== -1 && last("Cleanup", "begin") < installed)
    found.push("ArtifactInstall was called, and Cleanup never");
  return found;
}

/** What the device says that it has must be what it had, changed by this artifact only if it succeeded. */
export function expectedProvides({ plan, status, provides, providesBefore }: Ended): Readonly<Record<string, string>> {
  const { artifactName, module } = plan;
  if (status === "success") {
    return { ...providesBefore, artifact_name: artifactName, [`rootfs-image.${module}.version`]: artifactName };
  }
  // A device that was inconsistent before stays so if nothing of this artifact was installed.
  const unchanged = provides.artifact_name === providesBefore.artifact_name;
  if (unchanged || !isInconsistent(provides)) return providesBefore;
  return { ...providesBefore, artifact_name: artifactName + INCONSISTENT };
}

function sorted(record: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(record).sort());
}

/** Everything about an ended deployment that must not be. */
export function violationsOf(ended: Ended): string[] {
  const { provides, faults } = ended;
  const expected = expectedProvides(ended);
  return [
    ...softwareFaults(ended),
    ...callFaults(ended),
    ...(faults === 0 && isInconsistent(provides) ? ["the device is inconsistent, though nothing was wrong"] : []),
    ...(sorted(provides) === sorted(expected)
      ? []
      : [`the device provides ${sorted(provides)}, and should provide ${sorted(expected)}`]),
  ];
}
