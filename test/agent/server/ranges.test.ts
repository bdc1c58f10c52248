import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DownloadSettings } from "../../../agent/server/download.ts";
import { HttpClient } from "../../../agent/server/http.ts";
import { type RangedObjects, Ranges } from "../../../agent/server/ranges.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import { type Answer, artifact, hangUp, inTurn, SupportServer, status } from "../support-server/server.ts";
import { httpSettings } from "../support-server/settings.ts";
import { hastyTimers } from "../support-server/timers.ts";

const content = randomBytes(300_000);
const system = linuxSystem();
let server: SupportServer;
let log: KeptLog;
let sleepsMs: number[];
/** What asking for new links gives; each call is counted. */
let renewed: RangedObjects | undefined;
let renewals: number;

beforeEach(async () => {
  server = await SupportServer.start();
  log = new KeptLog();
  renewed = undefined;
  renewals = 0;
});

afterEach(() => server.stop());

function objectsAt(path: string): RangedObjects {
  const object = { url: `${server.url}${path}`, sizeBytes: content.length };
  return { artifact: object, index: object, chunks: object };
}

function rangesOf(settings: Partial<DownloadSettings> = {}, signal?: AbortSignal): Ranges {
  const hasty = hastyTimers(system.timers);
  sleepsMs = hasty.sleepsMs;
  return new Ranges({
    system: { clock: system.clock, timers: hasty.timers, random: { ...system.random, fraction: () => 0 } },
    http: new HttpClient(system, httpSettings({ tls: {}, connectionIdleMs: 500, version: "1" })),
    settings: { triesMax: 4, pauseMsMax: 8000, bytesPerSecondMax: 0, ...settings },
    log,
    objects: objectsAt("/chunks"),
    renew: async () => {
      renewals += 1;
      return renewed;
    },
    signal,
  });
}

const asked = (path = "/chunks"): (string | undefined)[] => server.seen(path).map(({ headers }) => headers.range);
const part = (start: number, end: number): Buffer => content.subarray(start, end);

describe("parts of an artifact", () => {
  it("come with one range a request, without the device's token, and as they were sent", async () => {
    server.on("/chunks", artifact(content));
    const ranges = rangesOf();
    expect(Buffer.from(await ranges.read("chunks", 1000, 5000))).toEqual(part(1000, 5000));
    expect(asked()).toEqual(["bytes=1000-4999"]);
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
    expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
    expect(ranges.fetchedBytes).toBe(4000);
  });

  it("are asked for four at a time, in their order", async () => {
    const held: (() => void)[] = [];
    const serve = artifact(content);
    server.on("/chunks", (response, request, count) => {
      held.push(() => serve(response, request, count));
    });
    const ranges = rangesOf();
    const reads = Array.from({ length: 9 }, (_, index) => ranges.read("chunks", index * 1000, index * 1000 + 1000));
    for (let answered = 0; answered < 9; answered++) {
      const wanted = Math.min(answered + 4, 9);
      await server.until(() => held.length >= wanted);
      expect(held).toHaveLength(wanted);
      held[answered]?.();
      await reads[answered];
    }
    expect(Buffer.concat(await Promise.all(reads))).toEqual(part(0, 9000));
  });

  it("go on at the byte at which their connection broke", async () => {
    server.on("/chunks", artifact(content, 40_000));
    const ranges = rangesOf();
    expect(Buffer.from(await ranges.read("chunks", 100_000, 250_000))).toEqual(part(100_000, 250_000));
    expect(asked()).toEqual([100_000, 140_000, 180_000, 220_000].map((from) => `bytes=${from}-249999`));
    expect(sleepsMs).toEqual([1000, 1000, 1000]);
    expect(ranges.fetchedBytes).toBe(150_000);
    expect(log.lines[0]).toMatch(
      /^warning downloading the artifact's chunks: .*; going on at byte 140000 of the chunks/,
    );
  });

  it.each<[string, Answer]>([
    ["sends everything", status(200, "all of it")],
    [
      "sends another range",
      (response) => response.writeHead(206, { "content-range": "bytes 0-9/300000" }).end("0123456789"),
    ],
    ["has another object", (response) => response.writeHead(206, { "content-range": "bytes 5-9/77" }).end("56789")],
    ["says that there is no such range", status(416)],
    [
      "sends more than it says",
      (response) => response.writeHead(206, { "content-range": "bytes 5-9/300000" }).end("5678901"),
    ],
  ])("are refused at once by a server that %s", async (_name, answer) => {
    server.on("/chunks", answer);
    await expect(rangesOf().read("chunks", 5, 10)).rejects.toMatchObject({ code: "adaptive-ranges-refused" });
    expect(asked()).toHaveLength(1);
  });

  it("do not read the body of a server that sends everything", async () => {
    let ended = false;
    server.on("/chunks", (response) => {
      response.on("close", () => {
        ended = true;
      });
      response.writeHead(200, { "content-length": 10_000_000 }).write(content);
    });
    const ranges = rangesOf();
    await expect(ranges.read("chunks", 5, 10)).rejects.toMatchObject({ code: "adaptive-ranges-refused" });
    expect(ranges.fetchedBytes).toBe(0);
    await expect.poll(() => ended).toBe(true);
  });

  it("survive a server that fails, a page of a portal and broken connections; they are given up like a download", async () => {
    const page: Answer = status(200, "<html>", { "content-type": "text/html" });
    server.on("/chunks", inTurn(hangUp, status(503), page, artifact(content)));
    expect(Buffer.from(await rangesOf().read("chunks", 0, 10))).toEqual(part(0, 10));
    expect(sleepsMs).toEqual([1000, 2000, 4000]);
    server.on("/chunks", hangUp);
    await expect(rangesOf().read("chunks", 0, 10)).rejects.toMatchObject({
      code: "download-failed",
      message: expect.stringContaining("given up after 4 tries in a row that brought nothing, at byte 0 of 300000"),
    });
    expect(sleepsMs).toEqual([1000, 2000, 4000, 8000]);
  });

  it("obey a server that says when to come again", async () => {
    server.on("/chunks", inTurn(status(429, "", { "retry-after": "7" }), artifact(content)));
    await rangesOf().read("chunks", 0, 10);
    expect(sleepsMs).toEqual([7000]);
  });

  it("share the pause of a server that cannot be reached, and its count of tries", async () => {
    server.on("/chunks", inTurn(hangUp, hangUp, hangUp, hangUp, artifact(content)));
    const ranges = rangesOf();
    const reads = Array.from({ length: 4 }, (_, index) => ranges.read("chunks", index * 10, index * 10 + 10));
    expect(Buffer.concat(await Promise.all(reads))).toEqual(part(0, 40));
    expect(sleepsMs.length).toBeLessThanOrEqual(4);
  });

  it("get new links once where the old ones have expired", async () => {
    server.on("/chunks", status(403)).on("/new", artifact(content));
    renewed = objectsAt("/new");
    const ranges = rangesOf();
    const reads = [ranges.read("chunks", 0, 10), ranges.read("chunks", 10, 20), ranges.read("chunks", 20, 30)];
    expect(Buffer.concat(await Promise.all(reads))).toEqual(part(0, 30));
    expect(renewals).toBe(1);
    renewed = undefined;
    server.on("/chunks", status(404));
    await expect(rangesOf().read("chunks", 0, 10)).rejects.toMatchObject({ code: "download-not-found" });
  });

  it("keep to the bandwidth together", async () => {
    server.on("/chunks", artifact(content));
    const ranges = rangesOf({ bytesPerSecondMax: 10_000 });
    await Promise.all([ranges.read("chunks", 0, 50_000), ranges.read("chunks", 50_000, 100_000)]);
    // The first second may be caught up.
    const lastMs = Math.max(...sleepsMs);
    expect(lastMs).toBeGreaterThan(8500);
  });

  it("end when they are closed, also those that wait", async () => {
    server.on("/chunks", () => undefined);
    const ranges = rangesOf();
    const reads = Array.from({ length: 6 }, (_, index) => ranges.read("chunks", index, index + 1));
    const ends = Promise.allSettled(reads);
    await server.until(() => server.requests.length >= 4);
    ranges.close();
    for (const end of await ends)
      expect(end).toMatchObject({ status: "rejected", reason: { code: "download-closed" } });
    expect(server.requests).toHaveLength(4);
  });

  it("go over no link without TLS that a server with TLS gave, unless artifacts must be signed", async () => {
    server.on("/chunks", artifact(content));
    const object = { url: `${server.url}/chunks`, server: "https://updates.example", sizeBytes: content.length };
    const ranges = rangesOf({ mayLoseTls: true });
    await ranges.read("chunks", 0, 10);
    const refusing = new Ranges({
      system: { ...system, timers: hastyTimers(system.timers).timers },
      http: new HttpClient(system, httpSettings()),
      settings: { triesMax: 1, pauseMsMax: 1000, bytesPerSecondMax: 0 },
      log,
      objects: { artifact: object, index: object, chunks: object },
      renew: async () => undefined,
    });
    await expect(refusing.read("index", 0, 10)).rejects.toMatchObject({ code: "download-link-invalid" });
  });
});
