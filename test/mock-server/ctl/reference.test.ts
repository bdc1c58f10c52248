// The command against a server that has the reference's API alone.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import type { Program } from "../../support/program.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { Operator } from "./operator.ts";
import { type ReferenceServer, startReferenceServer } from "./reference-server.ts";

const MAC = "02:00:5e:00:53:1c";

let folder: string;
let server: RunningServer;
let reference: ReferenceServer;
let operator: Operator;
let agent: Program;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-reference-"));
  server = await startServer(join(folder, "server"));
  reference = await startReferenceServer(server.url);
  operator = new Operator({ UPKEEP_PASSWORD: server.password });
  const root = join(folder, "device");
  const modules = { app: "#!/bin/sh\nexit 0\n" };
  createAgentRoot(root, { serverUrl: server.url, deviceType: "board", identity: { mac: MAC }, modules });
  agent = startAgent(root);
  await server.management.device("mac", MAC);
});

afterAll(async () => {
  await agent.stop();
  reference.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  operator.remove();
});

describe.sequential("upkeepctl, with a server that has only the reference's routes,", () => {
  test("logs in, lists devices, finds one by its MAC address, and accepts it by its key", async () => {
    await operator.output("login", "--server", reference.url, "--user", server.email);
    expect(await operator.output("devices", "list")).toMatch(new RegExp(`${MAC} +pending$`, "m"));
    expect(await operator.run(["devices", "accept", MAC])).toMatchObject({ code: 0, stderr: "1 device accepted.\n" });
    expect(reference.unknown).toContain("PUT /api/management/v2/devauth/devices/status");
    expect(await operator.output("devices", "show", MAC)).toMatch(/^status +accepted$/m);
    await operator.output("groups", "add", "north", MAC);
    expect(await operator.output("groups", "list")).toMatch(/^north +1$/m);
    await operator.output("devices", "tag", MAC, "site=north");
    expect(await operator.output("devices", "list", "--filter", "tags/site=north")).toContain(MAC);
  });

  test("uploads, shows and deletes releases", async () => {
    writeFileSync(join(folder, "content"), "content");
    for (const release of ["v1", "v2"]) {
      const file = join(folder, `${release}.mender`);
      const content = join(folder, "content");
      runUpkeepServer([
        ...["artifact", "write", "module-image", "-T", "app", "-n", release, "-t", "board", "-f", content, "-o", file],
      ]);
      expect(await operator.output("releases", "upload", file)).toMatch(new RegExp(`^${release}  `));
    }
    await operator.output("releases", "delete", "v2", "--yes");
    expect(await operator.output("releases", "list")).toMatch(/^RELEASE.*\nv1 +board +1 +\d[^\n]*\n$/);
  });

  test("deploys and waits, saying that it cannot tell beforehand who gets what", async () => {
    await until("the device has told its type", async () =>
      (await operator.output("devices", "list")).includes("board") ? true : undefined,
    );
    const deployed = await operator.run(["deploy", "v1", "--to", "north", "--yes", "--wait"]);
    expect(deployed.stderr).toContain("This server cannot say beforehand who would get what.");
    expect(deployed.stdout).toContain("succeeded: 1 of 1 done");
    expect(deployed.code).toBe(0);
    expect(await operator.output("deployments", "show", "v1")).toMatch(/^state +finished$/m);
    expect(await operator.output("deployments", "devices", "v1")).toMatch(/^\w{8} +success/m);
    expect(await operator.output("users", "list")).toMatch(/^admin@example\.com +RBAC_ROLE_PERMIT_ALL /m);
    expect(await operator.output("export", "device-deployments")).toMatch(/,success,/);
  });

  test.each([
    ["deploy v1 --to all --dry-run", "it has no preview of deployments"],
    ["filters list", "it has no GET /api/management/v2/inventory/filters"],
    ["events", "it has no GET /api/management/v1/events"],
    ["watch", "it has no GET /api/management/v1/events"],
    ["deployments retry-failed v1 --yes", "it has no POST /api/management/v1/deployments/deployments/{id}/retry"],
    ["deployments pause v1", "deployments cannot be paused there"],
  ])("says what the server lacks: %s", async (line, lacks) => {
    const words = line.split(" ");
    const { code, stdout, stderr } = await operator.run(words);
    expect({ code, stdout }).toMatchObject({ code: 1 });
    const command = words.slice(0, ["deploy", "events", "watch"].includes(words[0] ?? "") ? 1 : 2).join(" ");
    expect(stderr).toContain(`upkeepctl ${command}: ${reference.url} does not offer this: ${lacks}`);
  });
});
