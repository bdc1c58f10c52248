// What an operator does with a fleet, from the login to the retry: a real server, real agents, the built command.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import type { Program } from "../../support/program.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { Operator, withoutColours } from "./operator.ts";

const [MAC_A, MAC_B] = ["02:00:5e:00:53:0a", "02:00:5e:00:53:0b"];
/** Fails to install, and says why, as long as there is a file `broken` in the device's root. */
const module = (root: string): string => `#!/bin/sh
case "$1" in
  ArtifactInstall) [ ! -e '${root}/broken' ] || { echo "the battery is too low" >&2; exit 1; } ;;
  SupportsRollback) echo Yes ;;
esac
exit 0
`;

interface ListedDevice {
  readonly id: string;
  readonly attributes: readonly { readonly scope: string; readonly name: string; readonly value: unknown }[];
}

let folder: string;
let server: RunningServer;
let operator: Operator;
const agents: Program[] = [];

function artifact(release: string, types: readonly string[]): string {
  const file = join(folder, `${release}.mender`);
  writeFileSync(join(folder, "content"), release);
  runUpkeepServer([
    ...["artifact", "write", "module-image", "-T", "app", "-n", release, "-f", join(folder, "content"), "-o", file],
    ...types.flatMap((type) => ["-t", type]),
  ]);
  return file;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-fleet-"));
  operator = new Operator();
  server = await startServer(join(folder, "server"));
  for (const [name, deviceType, mac] of [
    ["a", "board-a", MAC_A],
    ["b", "board-b", MAC_B],
  ] as const) {
    const root = join(folder, name);
    createAgentRoot(root, { serverUrl: server.url, deviceType, identity: { mac }, modules: { app: module(root) } });
    agents.push(startAgent(root));
  }
  await server.management.device("mac", MAC_A);
  await server.management.device("mac", MAC_B);
});

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  operator.remove();
});

/** The value of an attribute of a listed device. */
function attributeOf({ attributes }: ListedDevice, name: string): unknown {
  return attributes.find((attribute) => attribute.name === name)?.value;
}

describe.sequential("an operator", () => {
  test("is told to log in, and logs in; only its owner can read the profile", async () => {
    const before = await operator.run(["devices", "list"]);
    expect(before.code).toBe(1);
    expect(before.stderr).toContain("no server is known: 'upkeepctl login --server URL'");
    const anonymous = await operator.run(["devices", "list", "--server", server.url]);
    expect(anonymous.code).toBe(4);
    expect(anonymous.stderr).toContain("'upkeepctl login' logs in");

    const password = join(folder, "password");
    writeFileSync(password, "wrong\n");
    const login = ["login", "--server", `${server.url}/`, "--user", server.email, "--password-file", password];
    const wrong = await operator.run(login);
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).toContain("address or password is wrong");
    writeFileSync(password, `${server.password}\n`);
    const right = await operator.run(login);
    expect(right).toMatchObject({ code: 0, stdout: "" });
    expect(right.stderr).toContain(`Logged in to ${server.url} as ${server.email}`);
    const profiles = join(operator.home, ".config/upkeepctl/profiles.json");
    expect(statSync(profiles).mode & 0o777).toBe(0o600);
    expect(readFileSync(profiles, "utf8")).not.toContain(server.password);
  });

  test("sees the devices that wait, and accepts one by its MAC address and the rest together", async () => {
    const listed = await operator.output("devices", "list", "--status", "pending");
    expect(listed).toMatch(/^ID +NAME +STATUS /);
    for (const mac of [MAC_A, MAC_B]) expect(listed).toMatch(new RegExp(`^\\w{8}  ${mac}  pending`, "m"));
    expect(await operator.run(["devices", "accept", MAC_A])).toMatchObject({ code: 0, stderr: "1 device accepted.\n" });
    const asked = await operator.run(["devices", "accept", "--all"]);
    expect(asked).toMatchObject({ code: 2 });
    expect(asked.stderr).toContain("add --yes");
    const rest = await operator.run(["devices", "accept", "--all", "--yes"]);
    expect(rest).toMatchObject({ code: 0, stderr: "1 device accepted.\n" });
    await until("both devices have told their type", async () => {
      const devices = await operator.json<readonly ListedDevice[]>("devices", "list", "--status", "accepted");
      return devices.filter((device) => attributeOf(device, "device_type") !== undefined).length === 2 || undefined;
    });
  });

  test("uploads artifacts, and sees which devices they are for", async () => {
    const files = [artifact("v1", ["board-a"]), artifact("v2", ["board-a", "board-b"])];
    expect(await operator.output("releases", "upload", ...files)).toMatch(/^v1 {2}[\w-]{36}\nv2 {2}[\w-]{36}\n$/);
    const again = await operator.run(["releases", "upload", files[0] ?? ""]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("already exists");
    expect(await operator.output("releases", "list")).toMatch(/^v2 +board-a, board-b +1 /m);
    const described = artifact("v3", ["board-a"]);
    await operator.output("releases", "upload", "--description", "with text", described);
    expect(await operator.output("releases", "show", "v3")).toMatch(/^description +with text$/m);
    await operator.run(["releases", "delete", "v3", "--yes"]);
    expect(await operator.output("releases", "list")).not.toContain("v3");
  });

  test("is shown what a deployment would do, and nothing is created", async () => {
    const preview = await operator.output("deploy", "v1", "--to", "all", "--phases", "50%,rest@2h", "--dry-run");
    expect(preview).toContain("v1 to all accepted devices\n2 devices are meant; 1 gets it now.");
    expect(preview).toMatch(/^ +1 {2}board-a {2}\w{8} /m);
    expect(preview).toMatch(/Left out:\nDEVICES +WHY +SUCH AS\n +1 {2}no artifact of the release fits /);
    expect(preview).toMatch(/^ +2 +50 % +1 {2}\d{4}-\d\d-\d\d /m);
    expect(await operator.json("deployments", "list")).toEqual([]);
    const refused = await operator.run(["deploy", "v1", "--to", "all"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("add --yes");
    expect(await operator.json("deployments", "list")).toEqual([]);
  });

  test("deploys and waits: exit code 0 when it has succeeded", async () => {
    const { code, stdout, stderr } = await operator.run(["deploy", "v1", "--device", MAC_A, "--yes", "--wait"]);
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/succeeded: 1 of 1 done\n$/);
    expect(stderr).toMatch(/Deployment [\w-]{36} is created/);
    const shown = await operator.output("devices", "show", MAC_A);
    expect(shown).toMatch(/^\w{8} +v1 +success /m);
  });

  test("deploys and waits: exit code 3 and the reasons when devices fail; reads the log; retries them", async () => {
    writeFileSync(join(folder, "b/broken"), "");
    const deployed = await operator.run(["deploy", "v2", "--to", "all", "--name", "second", "--yes", "--wait"]);
    expect(deployed.code).toBe(3);
    expect(deployed.stdout).toContain("ended with failures: 1 of 2 done, 1 failed");
    expect(deployed.stdout).toMatch(/1 failed: .*ArtifactInstall/);
    const log = await until("the log has arrived", async () => {
      const { code, stdout } = await operator.run(["devices", "log", MAC_B]);
      return code === 0 ? stdout : undefined;
    });
    expect(log).toContain("the battery is too low");
    const failed = await operator.output("deployments", "devices", "second", "--status", "failure");
    expect(failed).toMatch(/^\w{8} +failure .*yes/m);
    expect(failed).not.toContain("success");

    rmSync(join(folder, "b/broken"));
    const retried = await operator.run(["deployments", "retry-failed", "second", "--yes", "--wait"]);
    expect(retried.stdout + retried.stderr).toContain("succeeded: 1 of 1 done");
    expect(retried.code).toBe(0);
  });

  test("leaves a deployment that takes longer: exit code 5, 130 after Ctrl-C; then aborts it: exit code 3", async () => {
    const phases = ["--phases", "50%,rest@2h"];
    const deploy = ["deploy", "v1", "--to", "all", "--force", "--name", "slow", "--yes", "--wait"];
    const late = await operator.run([...deploy, ...phases, "--timeout", "1s"]);
    expect(late.code).toBe(5);
    expect(late.stderr).toContain("the deployment goes on");
    const interrupted = await operator.terminal(80, ["deployments", "wait", "slow"], {
      answer: (seen) => (seen.includes("Ctrl-C stops waiting") ? "\u0003" : undefined),
    });
    expect(interrupted.code).toBe(130);
    expect(withoutColours(interrupted.text)).toContain("Interrupted; the deployment goes on");
    expect(await operator.run(["deployments", "pause", "slow"])).toMatchObject({ code: 0 });
    expect(await operator.output("deployments", "show", "slow")).toMatch(/^state +paused$/m);
    expect(await operator.run(["deployments", "resume", "slow"])).toMatchObject({ code: 0 });
    expect(await operator.run(["deployments", "abort", "slow", "-y"])).toMatchObject({ code: 0 });
    expect(await operator.run(["deployments", "wait", "slow"])).toMatchObject({ code: 3 });
  });
});
