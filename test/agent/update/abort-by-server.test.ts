import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAgentRoot, runUpkeep, startAgent } from "../../support/agent.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";

/** Notes its calls, and does not come back from the one that it is told (HANG). */
const MODULE = `#!/bin/sh
echo "$1" >> "$DEVICE/calls"
case "$1" in
  NeedsArtifactReboot) echo Automatic ;;
  SupportsRollback) echo Yes ;;
esac
if [ "$1" = "$HANG" ]; then
  sleep 600 &
  echo $! > "$DEVICE/hanging.new"
  mv "$DEVICE/hanging.new" "$DEVICE/hanging"
  wait
fi
`;

let folder: string;
let server: RunningServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-abort-"));
  server = await startServer(join(folder, "server"), ["--auto-accept"]);
  writeFileSync(join(folder, "payload"), "new");
  const artifact = join(folder, "release.mender");
  const flags = ["-T", "slow", "-n", "new", "-t", "board", "-f", join(folder, "payload")];
  runUpkeepServer(["artifact", "write", "module-image", ...flags, "-o", artifact]);
  await server.management.upload(artifact);
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** True if a process is there that is more than a remnant nobody has asked for its end. */
function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
}

test.each([
  ["Download", ["ProvidePayloadFileSizes", "Download", "Cleanup"]],
  [
    "ArtifactInstall",
    [
      ...["ProvidePayloadFileSizes", "Download", "ArtifactInstall", "SupportsRollback", "ArtifactRollback"],
      ...["NeedsArtifactReboot", "reboot", "ArtifactVerifyRollbackReboot", "ArtifactFailure", "Cleanup"],
    ],
  ],
])("a deployment that is aborted on the server in the middle of %s ends on the device", async (hang, calls) => {
  const root = join(folder, hang);
  createAgentRoot(root, {
    serverUrl: server.url,
    deviceType: "board",
    identity: { serial: hang },
    modules: { slow: MODULE },
    config: { AbortCheckIntervalSeconds: 1 },
  });
  mkdirSync(join(root, "bin"));
  // A reboot from which the agent starts again at once.
  writeFileSync(join(root, "bin/reboot"), `#!/bin/sh\necho reboot >> "$DEVICE/calls"\nkill -KILL $PPID\n`);
  chmodSync(join(root, "bin/reboot"), 0o755);
  const environment = { DEVICE: root, HANG: hang, PATH: `${join(root, "bin")}:${process.env.PATH}` };
  let agent = startAgent(root, { environment });
  const output = (): string => agent.output();
  try {
    const device = await server.management.device("serial", hang, output);
    const deployment = await server.management.deploy("new", [device.id], `abort in ${hang}`);
    const hanging = join(root, "hanging");
    await until("the module hangs", () => existsSync(hanging) || undefined, { explain: output });
    const child = Number(readFileSync(hanging, "utf8"));
    await server.management.call("PUT", `/api/management/v1/deployments/deployments/${deployment}/status`, {
      status: "aborted",
    });
    if (calls.includes("reboot")) {
      expect(await agent.ended).toBe("SIGKILL");
      agent = startAgent(root, { environment });
    }
    await until(
      "the device has put the update behind it",
      () => {
        const { update, last } = JSON.parse(readFileSync(join(root, "var/lib/mender/upkeep-store.json"), "utf8"));
        return (update === null && last) || undefined;
      },
      { explain: output },
    );
    expect(readFileSync(join(root, "calls"), "utf8").trim().split("\n")).toEqual(calls);
    expect(runs(child), "what the module started runs on").toBe(false);
    expect((await server.management.deviceDeployments(deployment)).map(({ status }) => status)).toEqual(["aborted"]);
  } finally {
    await agent.stop();
  }
  expect(runUpkeep(root, ["show-artifact"])).toBe("unknown\n");
});
