import { execFileSync } from "node:child_process";
import { join } from "node:path";

const SCRIPT = join(import.meta.dirname, "../../../systemd/debian/package.mjs");

/** `UPKEEP_SYSTEM_PACKAGE` → options of the script. */
const KINDS: Readonly<Record<string, readonly string[]>> = { script: [], sea: ["--sea"] };

/** The agent's package under test: `script`, which Debian's Node runs, or `sea`, a single executable. */
const KIND = process.env.UPKEEP_SYSTEM_PACKAGE ?? "script";

/** Whether the package brings Node with it. */
export const BRINGS_NODE = KIND === "sea";

/** Makes the agent's Debian package. @returns Its path. */
export function packAgent(out: string, version: string): string {
  const options = KINDS[KIND];
  if (options === undefined) throw new Error(`UPKEEP_SYSTEM_PACKAGE must be script or sea, not ${KIND}`);
  const about = ["--out", out, "--version", version, "--compression", "none"];
  return execFileSync(process.execPath, [SCRIPT, ...about, ...options], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
}

/** A copy of a package whose program is another one. */
export function withProgram(archive: string, target: string, program: string): string {
  const tree = `${target}.tree`;
  execFileSync("dpkg-deb", ["--raw-extract", archive, tree]);
  execFileSync("sh", ["-c", 'cat >"$1/usr/bin/upkeep"', "sh", tree], { input: program });
  execFileSync("dpkg-deb", ["--root-owner-group", "-Znone", "--build", tree, target], {
    stdio: "pipe",
  });
  return target;
}
