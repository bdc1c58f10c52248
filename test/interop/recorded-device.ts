import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAgentRoot, startAgent } from "../support/agent.ts";
import { KeptRunning } from "../support/program.ts";
import { RecordingProxy } from "../support/recording-proxy.ts";
import type { RunningServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { startMenderClient } from "./mender-client.ts";

/** How the update module of a run behaves. */
export interface RecordedBehaviour {
  /** Its answer to NeedsArtifactReboot. */
  readonly reboot?: "No" | "Yes" | "Automatic";
  /** It can roll back. */
  readonly rollback?: boolean;
  /** The call, or the state script, that fails. */
  readonly fails?: readonly string[];
}

export type ClientName = "reference" | "ours";

export const DEVICE_TYPE = "trace-board";
const STATES = ["ArtifactInstall", "ArtifactReboot", "ArtifactCommit", "ArtifactRollback", "ArtifactRollbackReboot"];
/** Every script that an artifact can bring. */
export const SCRIPTS = [
  ...STATES.flatMap((state) => ["Enter", "Leave", "Error"].map((when) => `${state}_${when}`)),
  ...["ArtifactFailure_Enter", "ArtifactFailure_Leave"],
];

/** Notes what it is called with, and fails or answers as the device's files say. */
const MODULE = `#!/bin/sh
echo "$1" >> "$TRACE/trace"
case "$1" in
  NeedsArtifactReboot) cat "$TRACE/reboot" ;;
  SupportsRollback) cat "$TRACE/rollback" ;;
esac
! grep -qx "$1" "$TRACE/fails"
`;

/** A state script that notes its state, and fails if it is told to. */
export const STATE_SCRIPT = `#!/bin/sh
name=$(basename "$0")
echo "\${name%_00}" >> "$TRACE/trace"
! grep -qx "\${name%_00}" "$TRACE/fails"
`;

/** A reboot that ends the client, which is started again at once. */
const REBOOT = `#!/bin/sh
echo reboot >> "$TRACE/trace"
kill -KILL $PPID
`;

/**
 * A device of its own, with the real client or ours, on which one deployment is carried out.
 * @returns Module calls, state scripts, statuses (`> …`) and reboots, in order.
 */
export async function recordTrace(
  client: ClientName,
  options: {
    readonly folder: string;
    readonly server: RunningServer;
    readonly release: string;
    readonly behaviour: RecordedBehaviour;
    /** Unique among the devices of the server. */
    readonly number: number;
  },
): Promise<string[]> {
  const { folder, server, release, number } = options;
  const { reboot = "No", rollback = true, fails = [] } = options.behaviour;
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  put("bin/reboot", REBOOT);
  chmodSync(join(bin, "reboot"), 0o755);
  put("reboot", `${reboot}\n`);
  put("rollback", rollback ? "Yes\n" : "No\n");
  put("fails", fails.map((name) => `${name}\n`).join(""));
  put("trace", "");
  const proxy = await RecordingProxy.start(server.url);
  proxy.onRequest = ({ method, path, body }) => {
    if (method !== "PUT" || !path.includes("/deployments/device/")) return;
    if (path.endsWith("/log")) appendFileSync(join(folder, "trace"), "log\n");
    if (!path.endsWith("/status")) return;
    const { status, substate } = JSON.parse(body) as { status: string; substate?: string };
    appendFileSync(join(folder, "trace"), `> ${status}${substate ? ` (${substate})` : ""}\n`);
  };
  const mac = `02:00:5e:10:53:${number.toString(16).padStart(2, "0")}`;
  const device = { folder, serverUrl: proxy.url, deviceType: DEVICE_TYPE, modules: { recorder: MODULE } };
  const environment = { TRACE: folder, PATH: `${bin}:${process.env.PATH}` };
  if (client === "ours") createAgentRoot(folder, { ...device, identity: { mac } });
  const program = new KeptRunning(() =>
    client === "ours" ? startAgent(folder, { environment }) : startMenderClient({ ...device, mac, environment }),
  );
  const explain = (): string => `${readFileSync(join(folder, "trace"), "utf8")}\n${program.output()}`;
  try {
    const { id } = await server.management.device("mac", mac, explain);
    const deployment = await server.management.deploy(release, [id], `${client} ${number}`);
    const [result] = await server.management.finished(deployment, explain);
    if (result?.status === "failure") {
      await until(
        "the log has come",
        () => readFileSync(join(folder, "trace"), "utf8").includes("log\n") || undefined,
        {
          explain,
        },
      );
    }
  } finally {
    await program.stop();
    await proxy.stop();
  }
  return readFileSync(join(folder, "trace"), "utf8").trim().split("\n");
}
