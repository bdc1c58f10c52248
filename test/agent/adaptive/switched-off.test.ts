import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ADAPTIVE_HEADER, DEVICE_PATHS } from "@upkeep/shared/protocol";
import { expect, onTestFinished, test } from "vitest";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import { copyModule, softwareOf } from "../cli/device.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import { artifact, json, SupportServer, status } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();

test("with AdaptiveDownloads false, an artifact is downloaded plainly, even if an adaptive download is offered", async () => {
  const server = await SupportServer.start();
  const root = join(directory, "device");
  mkdirSync(root);
  createAgentRoot(root, {
    serverUrl: server.url,
    deviceType: "board",
    identity: { mac: "00:00:00:00:00:01" },
    modules: { copy: copyModule(join(root, "software")) },
    config: { AdaptiveDownloads: false },
  });
  const content = await artifactBytes({
    kind: "module-image",
    type: "copy",
    artifactName: "r2",
    deviceTypes: ["board"],
    files: [sourceFile("software", "after")],
    compression: "none",
  });
  server.on("/r2.mender", artifact(content));
  const adaptive = {
    artifact_size: content.length,
    index: { uri: `${server.url}/index`, size: 1000, sha256: "0".repeat(64) },
    chunks: { uri: `${server.url}/chunks`, size: 1000 },
  };
  // As a deployment is offered that began before the setting was changed.
  const instructions = {
    id: "d1",
    artifact: { artifact_name: "r2", source: { uri: `${server.url}/r2.mender` }, adaptive },
  };
  server.on(DEVICE_PATHS.nextV2, (response, request, count) =>
    (count === 1 ? json(instructions) : status(204))(response, request, count),
  );

  const agent = startAgent(root);
  onTestFinished(async () => {
    await agent.stop("SIGKILL");
    await server.stop();
  });
  const statuses = () =>
    server.seen(DEVICE_PATHS.status("d1")).map(({ body }) => (JSON.parse(body) as { status: string }).status);
  await server.until(() => /success|failure/.test(statuses().at(-1) ?? ""));
  expect(statuses().at(-1), agent.output()).toBe("success");
  expect(softwareOf(root)).toBe("after");
  expect(server.seen("/index")).toEqual([]);
  expect(server.seen(DEVICE_PATHS.nextV2)[0]?.headers[ADAPTIVE_HEADER]).toBeUndefined();
});
