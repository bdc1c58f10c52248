import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Program } from "../support/program.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { startMenderClient } from "./mender-client.ts";
import { describePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const DEVICE_TYPE = "interop-board";
const MAC = "02:00:5e:00:53:01";

/** Installs nothing: it writes to both outputs and fails. */
const FAILING_MODULE = `#!/bin/sh
case "$1" in
  ArtifactInstall) echo "checking the battery"; echo "battery too low" >&2; exit 1 ;;
  SupportsRollback) echo Yes ;;
esac
exit 0
`;

describePeer(["mender", "mender-artifact"], "the real mender-client, unmodified, against our server", () => {
  let folder: string;
  let server: RunningServer;
  let client: Program | undefined;

  const output = (): string => `${client?.output()}\n--- server ---\n${server.program.output()}`;
  const connect = (): Program => {
    client = startMenderClient({
      folder,
      serverUrl: server.url,
      deviceType: DEVICE_TYPE,
      mac: MAC,
      modules: { battery: FAILING_MODULE },
    });
    return client;
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-mender-client-"));
    server = await startServer(join(folder, "server"));
  });

  afterEach(async () => {
    await client?.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("is authorised once accepted, installs a single-file artifact and reports success; then one fails and its log arrives", async () => {
    const { management } = server;
    connect();
    const pending = await management.device("mac", MAC, output);
    expect(pending.status).toBe("pending");
    await management.setStatus(pending, "accepted");

    const destination = join(folder, "installed");
    mkdirSync(destination);
    const good = { folder, deviceType: DEVICE_TYPE, destination, fileName: "app.conf", content: "colour=green\n" };
    await management.upload(makeSingleFileArtifact({ ...good, artifactName: "release-1" }));
    const first = await management.deploy("release-1", [pending.id]);
    expect((await management.finished(first, output)).map(({ id, status }) => [id, status])).toEqual([
      [pending.id, "success"],
    ]);
    expect(readFileSync(join(destination, "app.conf"), "utf8")).toBe("colour=green\n");
    expect(await management.statistics(first)).toMatchObject({ success: 1, pending: 0, failure: 0 });

    const bad = makeSingleFileArtifact({ ...good, artifactName: "release-2", type: "battery" });
    await management.upload(bad);
    const second = await management.deploy("release-2", [pending.id]);
    const [device] = await management.finished(second, output);
    expect(device).toMatchObject({ id: pending.id, status: "failure" });
    const log = await management.log(second, pending.id, output);
    expect(log).toContain("battery too low");
    expect(existsSync(join(destination, "app.conf"))).toBe(true);
  });

  test("a device that is rejected is let in no more, and comes back when it is accepted again", async () => {
    const { management } = server;
    connect();
    const device = await management.device("mac", MAC, output);
    await management.setStatus(device, "accepted");
    await server.waitForOutput(/inventory\/device\/attributes.*200|200.*inventory\/device\/attributes/);
    await management.setStatus(device, "rejected");
    // Its next request is a poll or its inventory.
    await server.waitForOutput(
      /401.*(deployments\/next|inventory\/device\/attributes)|(deployments\/next|inventory\/device\/attributes).*401/,
    );
    // A client that was told 401 logs in again; the daemon must have survived it.
    expect(client?.child.exitCode).toBeNull();
    await management.setStatus(device, "accepted");
    const destination = join(folder, "installed");
    const release = { folder, deviceType: DEVICE_TYPE, destination, fileName: "a", content: "b" };
    await management.upload(makeSingleFileArtifact({ ...release, artifactName: "release-1" }));
    const deployment = await management.deploy("release-1", [device.id]);
    expect((await management.finished(deployment, output)).map(({ status }) => status)).toEqual(["success"]);
  });

  test("an artifact for another device type is not offered: noartifact", async () => {
    const { management } = server;
    connect();
    const device = await management.device("mac", MAC, output);
    await management.setStatus(device, "accepted");
    const other = { folder, deviceType: "another-board", destination: folder, fileName: "a", content: "b" };
    await management.upload(makeSingleFileArtifact({ ...other, artifactName: "release-1" }));
    const deployment = await management.deploy("release-1", [device.id]);
    expect((await management.finished(deployment, output)).map(({ status }) => status)).toEqual(["noartifact"]);
  });
});
