import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { describePeer } from "./peers.ts";
import {
  type ClientName,
  DEVICE_TYPE,
  type RecordedBehaviour,
  recordTrace,
  SCRIPTS,
  STATE_SCRIPT,
} from "./recorded-device.ts";

const LIMIT_MS = 240_000;

interface Case extends RecordedBehaviour {
  /** Where the reference goes another way than the sheet: why, and what ours does instead, as the sheet has it. */
  readonly instead?: { readonly because: string; readonly trace: readonly string[] };
}

const DOWNLOAD = ["> downloading", "ProvidePayloadFileSizes", "Download", "> installing", "ArtifactInstall_Enter"];
const INSTALL = [...DOWNLOAD, "ArtifactInstall", "ArtifactInstall_Leave", "NeedsArtifactReboot"];
const COMMIT = [...INSTALL, "> installing", "ArtifactCommit_Enter", "ArtifactCommit"];
const ROLLBACK = [
  ...["SupportsRollback", "ArtifactRollback_Enter", "ArtifactRollback", "ArtifactRollback_Leave"],
  "NeedsArtifactReboot",
];
const ROLLBACK_REBOOT = [
  ...["ArtifactRollbackReboot_Enter", "reboot", "ArtifactVerifyRollbackReboot", "ArtifactRollbackReboot_Leave"],
];
const FAILURE = ["ArtifactFailure_Enter", "ArtifactFailure", "ArtifactFailure_Leave", "Cleanup", "> failure", "log"];

const CASES: Readonly<Record<string, Case>> = {
  success: {},
  "success, with a reboot by the module": { reboot: "Yes" },
  "success, with a reboot by the client": { reboot: "Automatic" },
  "a failing Download": { fails: ["Download"] },
  "a failing ArtifactInstall": { fails: ["ArtifactInstall"] },
  "a failing ArtifactInstall, and a reboot for the rollback": { fails: ["ArtifactInstall"], reboot: "Automatic" },
  "a failing ArtifactInstall, without rollback": { fails: ["ArtifactInstall"], rollback: false },
  "a failing NeedsArtifactReboot": {
    fails: ["NeedsArtifactReboot"],
    instead: {
      because: "the reference asks within ArtifactInstall, whose Error scripts then run; the sheet asks after it",
      trace: [...INSTALL, ...ROLLBACK, ...FAILURE],
    },
  },
  "a failing ArtifactReboot": { fails: ["ArtifactReboot"], reboot: "Yes" },
  "a failing ArtifactVerifyReboot": { fails: ["ArtifactVerifyReboot"], reboot: "Automatic" },
  "a failing ArtifactCommit": { fails: ["ArtifactCommit"] },
  "a failing ArtifactCommit after a reboot": { fails: ["ArtifactCommit"], reboot: "Yes" },
  "a failing ArtifactRollback": { fails: ["ArtifactCommit", "ArtifactRollback"] },
  "a failing SupportsRollback": {
    fails: ["ArtifactCommit", "SupportsRollback"],
    instead: {
      because: "the reference asks before it installs, the sheet when something has failed",
      trace: [...COMMIT, "ArtifactCommit_Error", "SupportsRollback", ...FAILURE],
    },
  },
  "a failing ArtifactFailure": { fails: ["ArtifactCommit", "ArtifactFailure"] },
  "a failing Cleanup": {
    fails: ["Cleanup"],
    instead: {
      because: "the reference calls it a failure, but the new artifact is committed and runs: we say so",
      trace: [...COMMIT, "ArtifactCommit_Leave", "Cleanup", "> success"],
    },
  },
  "a failing script ArtifactInstall_Enter": {
    fails: ["ArtifactInstall_Enter"],
    instead: {
      because: "the reference reports a state after its Enter scripts, the sheet before them",
      trace: [...DOWNLOAD, "ArtifactInstall_Error", ...ROLLBACK, ...FAILURE],
    },
  },
  "a failing script ArtifactInstall_Leave": { fails: ["ArtifactInstall_Leave"] },
  "a failing script ArtifactReboot_Enter": {
    fails: ["ArtifactReboot_Enter"],
    reboot: "Automatic",
    instead: {
      because: "the reference reports a state after its Enter scripts, the sheet before them",
      trace: [
        ...[...INSTALL, "> rebooting", "ArtifactReboot_Enter", "ArtifactReboot_Error", ...ROLLBACK],
        ...[...ROLLBACK_REBOOT, ...FAILURE],
      ],
    },
  },
  "a failing script ArtifactReboot_Leave": { fails: ["ArtifactReboot_Leave"], reboot: "Automatic" },
  "a failing script ArtifactCommit_Enter": { fails: ["ArtifactCommit_Enter"] },
  "a failing script ArtifactCommit_Leave": { fails: ["ArtifactCommit_Leave"] },
  "a failing script ArtifactRollback_Enter": { fails: ["ArtifactCommit", "ArtifactRollback_Enter"] },
  "a failing script ArtifactFailure_Enter": { fails: ["ArtifactCommit", "ArtifactFailure_Enter"] },
};

/** Differences that are the same in every trace: what is left out of it, of whose, and why. */
const LEFT_OUT: readonly { readonly of: ClientName | "both"; readonly entry: RegExp; readonly because: string }[] = [
  {
    of: "reference",
    entry: /^> \w+ \(.*\)$/,
    because: "the reference repeats its status with a text around every state script; the sheet's client does not",
  },
  {
    of: "ours",
    entry: /^ProvidePayloadFileSizes$/,
    because: "the reference, 3.4, does not have that call yet; the sheet's client asks before each download",
  },
  {
    of: "both",
    entry: /^SupportsRollback$/,
    because: "the reference asks after every download; the sheet's client, and ours, only when something has failed",
  },
  {
    of: "both",
    entry: /^NeedsArtifactReboot$/,
    because:
      "the reference asks before the Leave scripts, and remembers the answer for the rollback; the sheet's client, and ours, ask after them, each time",
  },
];

/**
 * What is compared: calls, scripts and reboots in their order; and the statuses in theirs, each once in a row.
 * The two apart, as the reference tells a status after the Enter scripts of its state and again while it stays
 * in it; the sheet's client, and ours, tell it once, before them.
 */
function comparable(client: ClientName, trace: readonly string[]) {
  const rules = LEFT_OUT.filter(({ of }) => of === "both" || of === client);
  const left = trace.filter((entry) => !rules.some((rule) => rule.entry.test(entry)));
  const statuses = left.filter((entry) => isReport(entry));
  return {
    calls: left.filter((entry) => !isReport(entry)),
    statuses: statuses.filter((entry, index) => entry !== statuses[index - 1]),
  };
}

const isReport = (entry: string): boolean => entry.startsWith("> ") || entry === "log";

describePeer(["mender", "mender-artifact"], "the same artifact on the real mender-client and on ours", () => {
  let folder: string;
  let server: RunningServer;
  /** Everything that was recorded. */
  const recorded: Record<ClientName, string[]> = { reference: [], ours: [] };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-traces-"));
    server = await startServer(join(folder, "server"), ["--auto-accept"]);
    const payload = join(folder, "payload");
    writeFileSync(payload, "payload");
    const scripts = join(folder, "scripts");
    mkdirSync(scripts);
    const flags = SCRIPTS.flatMap((name) => {
      writeFileSync(join(scripts, `${name}_00`), STATE_SCRIPT, { mode: 0o755 });
      return ["-s", join(scripts, `${name}_00`)];
    });
    const artifact = join(folder, "traced.mender");
    const named = ["-T", "recorder", "-n", "traced", "-t", DEVICE_TYPE, "-f", payload, "-o", artifact];
    execFileSync("mender-artifact", ["write", "module-image", ...named, ...flags], { stdio: "pipe" });
    await server.management.upload(artifact);
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [index, [name, { instead, ...behaviour }]] of Object.entries(CASES).entries()) {
    test.concurrent(`leaves the same trace of calls, scripts and statuses: ${name}`, { timeout: LIMIT_MS }, async ({
      expect,
    }) => {
      const record = async (client: ClientName): Promise<string[]> => {
        const number = 2 * index + (client === "ours" ? 1 : 0);
        const own = join(folder, `${client}-${index}`);
        const trace = await recordTrace(client, { folder: own, server, release: "traced", behaviour, number });
        recorded[client].push(...trace);
        return trace;
      };
      const [reference, ours] = await Promise.all([record("reference"), record("ours")]);
      if (instead === undefined) expect(comparable("ours", ours)).toEqual(comparable("reference", reference));
      else {
        expect(ours, instead.because).toEqual(instead.trace);
        expect(comparable("ours", ours), "is there still a difference?").not.toEqual(
          comparable("reference", reference),
        );
      }
    });
  }

  test("the list of differences has none that is not there any more", () => {
    for (const { of, entry, because } of LEFT_OUT) {
      const clients = of === "both" ? (["reference", "ours"] as const) : [of];
      for (const client of clients)
        expect(
          recorded[client].some((one) => entry.test(one)),
          because,
        ).toBe(true);
    }
    expect(recorded.reference).not.toContain("ProvidePayloadFileSizes");
    expect(recorded.ours.filter((entry) => entry.includes("("))).toEqual([]);
  });
});
