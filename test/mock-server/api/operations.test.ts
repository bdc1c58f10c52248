import { expect, test } from "vitest";
import { mustBeReady } from "../../../mock-server/api/operations/readiness.ts";
import { DEVICE_API, TestServer } from "./fixture.ts";

test("metrics tell of requests, polls, devices and deployments, in the format of Prometheus", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const device = await server.device("1");
  await server.uploaded();
  await server.deployed("release-1", [device.id]);
  const poll = `${DEVICE_API}/next?artifact_name=factory&device_type=board`;
  await server.call(poll, device);
  await server.call(poll.replace("factory", "release-0"), device);
  await server.call("/nowhere");
  await server.call("/nowhere/else");
  const answer = await server.manage("/metrics");
  expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = answer.body.split("\n");
  const route = `method="GET",route="${DEVICE_API}/next"`;
  for (const line of [
    'upkeep_devices{status="accepted"} 1',
    'upkeep_devices{status="rejected"} 0',
    'upkeep_deployments{status="pending"} 0',
    'upkeep_polls_total{answer="instructions"} 1',
    'upkeep_polls_total{answer="conflict"} 1',
    `upkeep_http_requests_total{${route},status="200"} 1`,
    `upkeep_http_requests_total{${route},status="409"} 1`,
    'upkeep_http_requests_total{method="none",route="none",status="404"} 2',
    `upkeep_http_request_duration_seconds_bucket{${route},le="+Inf"} 2`,
    `upkeep_http_request_duration_seconds_count{${route}} 2`,
  ]) {
    expect(lines).toContain(line);
  }
  for (const line of lines.filter((one) => one !== "")) {
    expect(line).toMatch(/^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [0-9.e+-]+)$/);
  }
});

test("health and readiness are told to anybody; readiness ends with the records", async () => {
  const server = await TestServer.open();
  for (const path of ["/health", "/ready"]) expect((await server.call(path)).json()).toEqual({ status: "ok" });
  await server.domain.close();
  expect((await server.call("/health")).statusCode).toBe(200);
  const answer = await server.call("/ready");
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toEqual({ error: "the records cannot be read", request_id: expect.any(String) });
  // What exactly is wrong stands in the log.
  expect(server.logLines.join("")).toContain("GET /ready failed");
});

test("a server whose records keep silent, or that is about to end, is not ready, and says so at once", async () => {
  let fire = (): void => undefined;
  const timers = {
    after: (delayMs: number, call: () => void) => {
      expect(delayMs).toBeLessThanOrEqual(5_000);
      fire = call;
      return { cancel: () => undefined };
    },
  };
  const silent = { deployments: { statisticsOf: () => new Promise<never>(() => undefined) } };
  const asking = mustBeReady({ system: { timers }, domain: silent });
  fire();
  await expect(asking).rejects.toMatchObject({ status: 503, message: "the records have not answered for 5 seconds" });
  await expect(mustBeReady({ system: { timers }, domain: silent, ending: AbortSignal.abort() })).rejects.toMatchObject({
    status: 503,
    message: "the server is about to end",
  });
});
