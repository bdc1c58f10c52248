import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startAgent } from "../support/agent.ts";
import { type Program, startProgram } from "../support/program.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { startMenderClient } from "./mender-client.ts";
import { describePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const UPKEEP = join(import.meta.dirname, "../../agent/bin/upkeep.cjs");
const DEVICE_TYPE = "interop-board";
const MAC = "02:00:5e:00:53:21";

describePeer(["mender", "mender-artifact"], "upkeep adopt takes over from the real mender-client", () => {
  let folder: string;
  let root: string;
  let server: RunningServer;
  const programs: Program[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-adopt-"));
    root = join(folder, "root");
    server = await startServer(join(folder, "server"));
  });

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const output = (): string =>
    `${programs.map((program) => program.output()).join("\n")}\n--- server ---\n${server.program.output()}`;

  /** The directories of the mender-client, as upkeep finds them below its root. */
  function sameDevice(): void {
    for (const path of ["etc", "usr/share", "var/lib"]) mkdirSync(join(root, path), { recursive: true });
    symlinkSync(join(folder, "etc"), join(root, "etc/mender"));
    symlinkSync(join(folder, "share"), join(root, "usr/share/mender"));
    symlinkSync(join(folder, "data"), join(root, "var/lib/mender"));
  }

  /** Every file of the old client, with its content. */
  function contents(directory: string): Record<string, string> {
    const names = readdirSync(directory).filter((name) => !name.startsWith("upkeep"));
    return Object.fromEntries(
      names.sort().flatMap((name) => {
        const path = join(directory, name);
        return existsSync(path) && !name.endsWith("-lock") ? [[name, tryRead(path)]] : [];
      }),
    );
  }

  function tryRead(path: string): string {
    try {
      return readFileSync(path, "base64");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EISDIR") return "a directory";
      throw error;
    }
  }

  async function upkeep(...args: string[]) {
    const program = startProgram(process.execPath, [UPKEEP, "--root", root, ...args]);
    return { code: await program.ended, output: program.output() };
  }

  test("the server sees the same device, with the same provides, and updates it", async () => {
    const { management } = server;
    const client = startMenderClient({
      ...{ folder, serverUrl: server.url, deviceType: DEVICE_TYPE, mac: MAC },
      config: { UpdateControlMapExpirationTimeSeconds: 90 },
    });
    programs.push(client);
    const device = await management.device("mac", MAC, output);
    await management.setStatus(device, "accepted");
    const destination = join(folder, "installed");
    mkdirSync(destination);
    const file = { folder, deviceType: DEVICE_TYPE, destination, fileName: "app.conf", content: "colour=green\n" };
    await management.upload(makeSingleFileArtifact({ ...file, artifactName: "release-1" }));
    const first = await management.deploy("release-1", [device.id]);
    expect((await management.finished(first, output)).map(({ status }) => status)).toEqual(["success"]);
    // Killed at once, as it is right after an update; what it has on disk is all there is.
    await client.stop("SIGKILL");

    sameDevice();
    const before = contents(join(folder, "data"));
    const adopted = await upkeep("adopt");
    expect(adopted.code, adopted.output).toBe(0);
    expect(adopted.output).toContain(`identity       {"mac":"${MAC}"}\n`);
    expect(adopted.output).toContain("artifact_name=release-1\n");
    expect(adopted.output).toMatch(/ differs: .*mender\.conf: UpdateControlMapExpirationTimeSeconds has no effect: /);
    expect(contents(join(folder, "data"))).toEqual(before);
    const again = await upkeep("adopt");
    expect(again.output).toContain("already:\n");
    expect((await upkeep("show-provides")).output).toContain(
      "artifact_name=release-1\nrootfs-image.single-file.version=release-1\n",
    );

    const agent = startAgent(root);
    programs.push(agent);
    await management.upload(makeSingleFileArtifact({ ...file, artifactName: "release-2", content: "colour=blue\n" }));
    const second = await management.deploy("release-2", [device.id]);
    expect((await management.finished(second, output)).map(({ id, status }) => [id, status])).toEqual([
      [device.id, "success"],
    ]);
    expect(readFileSync(join(destination, "app.conf"), "utf8")).toBe("colour=blue\n");
    const devices = await management.devices();
    expect(devices.map(({ id, auth_sets, status }) => [id, auth_sets.length, status])).toEqual([
      [device.id, 1, "accepted"],
    ]);
  });

  test("a data directory of its own gets the key and the device type, and keeps a key that it has", async () => {
    const { management } = server;
    const client = startMenderClient({ folder, serverUrl: server.url, deviceType: DEVICE_TYPE, mac: MAC });
    programs.push(client);
    await management.device("mac", MAC, output);
    await client.stop();
    sameDevice();
    const own = join(folder, "own");
    const adopted = await upkeep("--datastore", own, "adopt");
    expect(adopted.code, adopted.output).toBe(0);
    expect(adopted.output).toContain("artifact_name=factory\n");
    for (const name of ["mender-agent.pem", "device_type"]) {
      expect(readFileSync(join(own, name))).toEqual(readFileSync(join(folder, "data", name)));
    }
    // Another key at the same place is never lost by accident.
    const other = startProgram(process.execPath, [UPKEEP, "--root", root, "--datastore", own, "bootstrap", "--force"]);
    await other.ended;
    const refused = await upkeep("--datastore", own, "adopt");
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/mender-agent\.pem is there already and differs from the old client's/);
    expect((await upkeep("--datastore", own, "adopt", "--force")).code).toBe(0);
    expect(readFileSync(join(own, "mender-agent.pem"))).toEqual(readFileSync(join(folder, "data/mender-agent.pem")));
  });
});
