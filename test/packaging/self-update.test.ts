import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifactBytes, sourceFile } from "../agent/support/artifacts.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { CleanSystem } from "./clean-system.ts";

const PACKAGE = join(import.meta.dirname, "../../systemd/debian/package.mjs");
const fault = CleanSystem.fault();
const describeSystem = fault === undefined || process.env.CI ? describe : describe.skip;

/**
 * A stand-in for systemd as far as one unit goes: it starts the agent, and, when it is asked to, ends it with
 * SIGTERM, kills what is left of it, and starts it again. It tells what it did.
 */
const SUPERVISOR = `#!/bin/sh
start() {
  setsid /usr/bin/upkeep --log-level debug daemon >>/run/agent.log 2>&1 &
  pid=$!
  echo "$pid" >/run/agent.pid
  echo "started $(/usr/bin/upkeep --version)" >>/run/told
}
mkfifo /run/requests
exec 3<>/run/requests
start
while read -r word <&3; do
  kill -TERM "$pid"
  wait "$pid"
  echo "ended with $?" >>/run/told
  [ "$word" = restart ] || exit 0
  start
done
`;
const SYSTEMCTL = `#!/bin/sh
case "$*" in
  *show*MainPID*upkeep.service) cat /run/agent.pid ;;
  *restart*upkeep.service)
    echo "asked for $*" >>/run/told
    echo restart >/run/requests
    case "$*" in *--no-block*) exit 0 ;; esac
    # As systemd does it: whoever asks waits until it is done.
    before=$(cat /run/agent.pid)
    for _ in $(seq 300); do [ "$(cat /run/agent.pid)" = "$before" ] || exit 0; sleep 0.1; done
    exit 1 ;;
  *is-enabled*) echo enabled ;;
esac
`;

describeSystem(`the agent, updated by itself${fault === undefined ? "" : ` (${fault})`}`, () => {
  let folder: string;
  let server: RunningServer;
  let system: CleanSystem;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-self-update-"));
    server = await startServer(join(folder, "server"));
    system = await CleanSystem.start(join(folder, "system"));
  });

  afterAll(async () => {
    system?.run(
      "echo stop >/run/requests; for _ in $(seq 100); do [ -e /run/told ] && tail -n1 /run/told | grep -q ended && break; sleep 0.1; done",
    );
    await system?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function pack(version: string): string {
    const args = [PACKAGE, "--out", folder, "--version", version];
    return execFileSync(process.execPath, args, { encoding: "utf8", stdio: "pipe" }).trim();
  }

  it("ends in success, committed and reported by the new one, with state and identity kept", async () => {
    const mac = "02:00:5e:00:53:77";
    system.run("dpkg --purge --force-depends mender-client; rm -rf /etc/mender /var/lib/mender /usr/share/mender");
    system.copy(pack("1.0"), "tmp/packages/first.deb");
    system.output("dpkg --install /tmp/packages/first.deb");
    system.output("mkdir -p /run/systemd/system /usr/share/mender/identity");
    for (const [name, script, path] of [
      ["systemctl", SYSTEMCTL, "usr/bin/systemctl"],
      ["supervisor", SUPERVISOR, "tmp/packages/supervisor"],
      ["identity", `#!/bin/sh\necho mac=${mac}\n`, "usr/share/mender/identity/mender-device-identity"],
    ] as const) {
      writeFileSync(join(folder, name), script, { mode: 0o755 });
      system.copy(join(folder, name), path);
    }
    system.output("echo device_type=board >/var/lib/mender/device_type");
    const config = { ServerURL: server.url, UpdatePollIntervalSeconds: 1, InventoryPollIntervalSeconds: 2 };
    writeFileSync(join(folder, "mender.conf"), JSON.stringify({ ...config, RetryPollIntervalSeconds: 1 }));
    system.copy(join(folder, "mender.conf"), "etc/mender/mender.conf");
    system.output("setsid /tmp/packages/supervisor >/dev/null 2>&1 &");
    const log = (): string => system.run("cat /run/agent.log /run/told").output;

    const device = await server.management.device("mac", mac, log);
    await server.management.setStatus(device, "accepted");
    const key = system.output("sha256sum /var/lib/mender/mender-agent.pem");

    const newer = pack("1.1");
    const artifact = join(folder, "agent-1.1.mender");
    const about = { kind: "module-image", type: "deb", artifactName: "agent-1.1", deviceTypes: ["board"] } as const;
    const files = [sourceFile(basename(newer), readFileSync(newer))];
    writeFileSync(artifact, await artifactBytes({ ...about, compression: "none", files }));
    await server.management.upload(artifact);
    const deployment = await server.management.deploy("agent-1.1", [device.id]);
    const [result] = await server.management.finished(deployment, log);

    expect({ status: result?.status, log: log() }).toMatchObject({ status: "success" });
    expect(system.output("cat /run/told").split("\n")).toEqual([
      "started 1.0",
      "asked for --no-block restart upkeep.service",
      "ended with 0",
      "started 1.1",
    ]);
    expect(system.output("dpkg-query --show upkeep")).toBe("upkeep\t1.1");
    expect(system.output("dpkg --audit")).toBe("");
    expect(system.output("upkeep show-artifact")).toBe("agent-1.1");
    expect(system.output("sha256sum /var/lib/mender/mender-agent.pem")).toBe(key);
    // The server sees the same device, run by the new program.
    const told = async (): Promise<true | undefined> => {
      const path = `/api/management/v1/inventory/devices/${device.id}`;
      const { attributes } = await server.management.json<{ attributes: readonly { name: string; value: unknown }[] }>(
        path,
      );
      const value = (name: string) => attributes.find((attribute) => attribute.name === name)?.value;
      return value("mender_client_version") === "1.1" && value("artifact_name") === "agent-1.1" ? true : undefined;
    };
    await until("the new agent's inventory has come", told, { explain: log });
    expect(await server.management.devices()).toHaveLength(1);
    // Nothing of the update is left: the next one could begin.
    expect(JSON.parse(system.output("upkeep status --json"))).toMatchObject({ update: null });
  });
});
