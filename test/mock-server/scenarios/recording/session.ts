import { join } from "node:path";
import { startMenderClient } from "../../../interop/mender-client.ts";
import { makeSingleFileArtifact } from "../../../interop/single-file.ts";
import { createAgentRoot, startAgent } from "../../../support/agent.ts";
import { startServer } from "../../../support/server.ts";

export const DEVICE_TYPE = "interop-board";
export const MAC = "02:00:5e:00:53:07";

/** Writes nowhere; fails where it is told to. */
export const MODULE = `#!/bin/sh
case "$1" in
  ArtifactInstall) [ -e files/fails ] && { echo "battery too low" >&2; exit 1; } ;;
  SupportsRollback) echo Yes ;;
esac
exit 0
`;

/** Artifacts that both programs' sessions are about: the first is installed, the second fails. */
export function makeReleases(folder: string): readonly string[] {
  const release = {
    folder,
    deviceType: DEVICE_TYPE,
    destination: "/opt/app",
    content: "colour=green\n",
    type: "battery",
  };
  return [
    makeSingleFileArtifact({ ...release, artifactName: "release-1", fileName: "app.conf" }),
    makeSingleFileArtifact({ ...release, artifactName: "release-2", fileName: "fails" }),
  ];
}

/** What a device of a session runs. */
export type ClientName = "mender-client" | "upkeep";

export function startClient(client: ClientName, folder: string, serverUrl: string) {
  const modules = { battery: MODULE };
  if (client === "mender-client") {
    return startMenderClient({ folder, serverUrl, deviceType: DEVICE_TYPE, mac: MAC, modules });
  }
  createAgentRoot(folder, { serverUrl, deviceType: DEVICE_TYPE, identity: { mac: MAC }, modules });
  return startAgent(folder);
}

/**
 * A device that is let in, installs one artifact and fails with another, against our server that records it.
 * @returns The path of the recording.
 */
export async function recordSession(client: ClientName, folder: string): Promise<string> {
  const path = join(folder, "session.jsonl");
  const server = await startServer(join(folder, "server"), ["--record", path, "--record-artifacts"]);
  const { management } = server;
  const program = startClient(client, join(folder, "device"), server.url);
  const explain = (): string => `${program.output()}\n--- server ---\n${server.program.output()}`;
  try {
    for (const artifact of makeReleases(folder)) await management.upload(artifact);
    const device = await management.device("mac", MAC, explain);
    await management.setStatus(device, "accepted");
    await management.finished(await management.deploy("release-1", [device.id]), explain);
    const second = await management.deploy("release-2", [device.id]);
    await management.finished(second, explain);
    await management.log(second, device.id, explain);
  } finally {
    await program.stop();
    await server.stop();
  }
  return path;
}
