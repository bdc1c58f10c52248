import type { ModuleBehaviour } from "./modules.ts";

/** One way through the table of states, without any power cut. */
export interface CampaignPath {
  readonly name: string;
  readonly module: ModuleBehaviour;
  /** State scripts of the artifact by name, with their exit codes. */
  readonly scripts: Readonly<Record<string, number>>;
  readonly abortAtReport?: number;
  /** The new root file system crashes while it starts. */
  readonly badImage?: boolean;
  /** The artifact is damaged on its way. */
  readonly corrupted?: boolean;
  /** The server cannot be reached for so long after the new software was installed. */
  readonly unreachableMs?: number;
  /** The way back never ends by itself: the engine gives up as it does by default. */
  readonly loops?: boolean;
  /** The artifact has no payload. */
  readonly empty?: boolean;
}

type Base = Pick<ModuleBehaviour, "kind" | "reboot" | "rollback" | "streams">;

const BASES: Readonly<Record<string, Base>> = {
  "no reboot": { kind: "files", reboot: "No", rollback: true, streams: false },
  "module reboots": { kind: "files", reboot: "Yes", rollback: true, streams: true },
  "agent reboots": { kind: "files", reboot: "Automatic", rollback: true, streams: false },
  "two slots": { kind: "slots", reboot: "Automatic", rollback: true, streams: true },
  "no rollback": { kind: "files", reboot: "No", rollback: false, streams: true },
};

const MODULE_CALLS = [
  "Download",
  "DownloadWithFileSizes",
  "ArtifactInstall",
  "NeedsArtifactReboot",
  "ArtifactReboot",
  "ArtifactVerifyReboot",
  "ArtifactCommit",
  "Cleanup",
] as const;

const SCRIPTS = [
  "ArtifactInstall_Enter",
  "ArtifactInstall_Leave",
  "ArtifactReboot_Enter",
  "ArtifactReboot_Leave",
  "ArtifactCommit_Enter",
  "ArtifactCommit_Leave",
] as const;

function withBase(
  base: string,
  change: Partial<Omit<CampaignPath, "module">> & { fails?: readonly string[] } = {},
): CampaignPath {
  const { fails = [], ...rest } = change;
  const module = { ...(BASES[base] as Base), fails: new Set(fails) };
  return { scripts: {}, ...rest, name: `${base}: ${rest.name ?? "success"}`, module };
}

/** Calls that this kind of module gets at all. */
function relevantCalls(base: Base): readonly string[] {
  return MODULE_CALLS.filter((call) => {
    if (call === "Download") return base.kind === "files";
    if (call === "DownloadWithFileSizes") return base.kind === "slots";
    if (call === "ArtifactVerifyReboot") return base.reboot !== "No";
    return call !== "ArtifactReboot" || base.reboot === "Yes";
  });
}

/** The paths through the table: success, failure in each state, rollback, every answer about reboots, aborts. */
export function campaignPaths(): CampaignPath[] {
  const paths: CampaignPath[] = [];
  for (const [base, module] of Object.entries(BASES)) {
    paths.push(withBase(base));
    for (const call of relevantCalls(module)) paths.push(withBase(base, { name: `${call} fails`, fails: [call] }));
    for (const call of ["ArtifactFailure", "Cleanup"])
      paths.push(withBase(base, { name: `ArtifactInstall fails, and ${call}`, fails: ["ArtifactInstall", call] }));
    const reports = module.reboot === "No" ? 3 : 4;
    for (let report = 1; report <= reports; report++)
      paths.push(withBase(base, { name: `aborted at report ${report}`, abortAtReport: report }));
  }
  for (const base of ["no reboot", "two slots"]) {
    const all = Object.fromEntries(SCRIPTS.map((script) => [`${script}_10`, 0]));
    for (const script of SCRIPTS)
      if (base === "two slots" || !script.startsWith("ArtifactReboot"))
        paths.push(withBase(base, { name: `${script} fails`, scripts: { ...all, [`${script}_20`]: 1 } }));
    for (const call of ["ArtifactRollback", "SupportsRollback"])
      paths.push(withBase(base, { name: `ArtifactCommit fails, and ${call}`, fails: ["ArtifactCommit", call] }));
    paths.push(withBase(base, { name: "damaged artifact", corrupted: true }));
    paths.push(withBase(base, { name: "server unreachable for ten minutes", unreachableMs: 600_000 }));
    paths.push(withBase(base, { name: "server unreachable for an hour", unreachableMs: 3600_000 }));
  }
  paths.push(withBase("two slots", { name: "image that does not start", badImage: true }));
  paths.push(
    withBase("module reboots", {
      name: "ArtifactVerifyReboot and the rollback's reboot fail",
      fails: ["ArtifactVerifyReboot", "ArtifactRollbackReboot"],
    }),
  );
  paths.push(
    withBase("agent reboots", {
      name: "the rollback's reboot never leads back",
      fails: ["ArtifactCommit", "ArtifactVerifyRollbackReboot"],
      loops: true,
    }),
  );
  paths.push(withBase("no reboot", { name: "empty payload", empty: true }));
  return paths;
}
