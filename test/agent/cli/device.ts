import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createAgentRoot } from "../../support/agent.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";

const BUNDLE = join(import.meta.dirname, "../../../agent/dist/upkeep.cjs");
export const UPKEEP = join(import.meta.dirname, "../../../agent/bin/upkeep.cjs");

/** An update module that copies its one file to `destination`, keeps what was there, and can go back. */
export function copyModule(destination: string): string {
  return [
    "#!/bin/sh",
    "set -e",
    'state="$1"; tree="$2"',
    `destination="${destination}"`,
    'case "$state" in',
    "  SupportsRollback) echo Yes ;;",
    "  NeedsArtifactReboot) echo No ;;",
    '  ArtifactInstall) cp "$destination" "$tree/tmp/before" 2>/dev/null || :',
    '    cp "$tree"/files/* "$destination" ;;',
    '  ArtifactRollback) if [ -e "$tree/tmp/before" ]; then cp "$tree/tmp/before" "$destination"; else rm -f "$destination"; fi ;;',
    "esac",
    "",
  ].join("\n");
}

/** A device below `root` that runs `old`, with the module `copy`. */
export function createDevice(root: string, serverUrl: string, config: Readonly<Record<string, unknown>> = {}): void {
  mkdirSync(root, { recursive: true });
  createAgentRoot(root, {
    serverUrl,
    deviceType: "board",
    identity: { mac: "00:00:00:00:00:01" },
    modules: { copy: copyModule(join(root, "software")) },
    config: { UpdatePollIntervalSeconds: 1000, InventoryPollIntervalSeconds: 1000, ...config },
  });
}

export function softwareOf(root: string): string | undefined {
  const path = join(root, "software");
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

export function copyArtifact(
  artifactName: string,
  content: string | Uint8Array,
  deviceType = "board",
): Promise<Buffer> {
  return artifactBytes({
    kind: "module-image",
    type: "copy",
    artifactName,
    deviceTypes: [deviceType],
    files: [sourceFile("software", content)],
    compression: "none",
  });
}

/** Runs the built agent to its end. */
export function upkeep(root: string, ...args: readonly string[]) {
  if (!existsSync(BUNDLE)) throw new Error("the agent is not built: run 'npm run build'");
  const { status, stdout, stderr } = spawnSync(process.execPath, [UPKEEP, "--root", root, ...args], {
    encoding: "utf8",
    timeout: WAIT_MS,
  });
  return { code: status, stdout, stderr };
}
