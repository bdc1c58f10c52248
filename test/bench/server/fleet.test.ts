import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { expect, onTestFinished, test } from "vitest";
import { startServer } from "../../support/server.ts";
import { makeFleet } from "./fleet.ts";

test("the fleet of the bench, which is written past the server, is one that the server knows", async () => {
  const data = mkdtempSync(join(tmpdir(), "upkeep-bench-fleet-"));
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const { idle } = await makeFleet(data, 400, 3);
  const server = await startServer(data);
  onTestFinished(() => server.stop());
  for (const { token } of idle) {
    const answer = await fetch(`${server.url}${DEVICE_PATHS.nextV2}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ device_provides: { device_type: "bench", artifact_name: "factory" } }),
    });
    expect(answer.status).toBe(204);
  }
  const counted = await server.management.json<{ count: number }>(
    "/api/management/v2/devauth/devices/count?status=accepted",
  );
  expect(counted.count).toBe(400);
});
