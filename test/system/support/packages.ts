import { execFileSync } from "node:child_process";
import { join } from "node:path";

const SCRIPT = join(import.meta.dirname, "../../../systemd/debian/package.mjs");

/** Makes the agent's Debian package. @returns Its path. */
export function packAgent(out: string, version: string): string {
  return execFileSync(process.execPath, [SCRIPT, "--out", out, "--version", version], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
}

/** A copy of a package whose program is another one. */
export function withProgram(archive: string, target: string, program: string): string {
  const tree = `${target}.tree`;
  execFileSync("dpkg-deb", ["--raw-extract", archive, tree]);
  execFileSync("sh", ["-c", 'cat >"$1/usr/bin/upkeep"', "sh", tree], { input: program });
  execFileSync("dpkg-deb", ["--root-owner-group", "--build", tree, target], { stdio: "pipe" });
  return target;
}
