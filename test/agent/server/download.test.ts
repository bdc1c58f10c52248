import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Downloads } from "../../../agent/server/download.ts";
import { HttpClient } from "../../../agent/server/http.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import {
  type Answer,
  artifact,
  hangUp,
  inTurn,
  SupportServer,
  silence,
  status,
  unusedUrl,
} from "../support-server/server.ts";
import { httpSettings } from "../support-server/settings.ts";
import { hastyTimers } from "../support-server/timers.ts";

const content = randomBytes(300_000);
const system = linuxSystem();
let server: SupportServer;
let log: KeptLog;
let sleepsMs: number[];
let downloads: Downloads;

beforeEach(async () => {
  server = await SupportServer.start();
  log = new KeptLog();
  const hasty = hastyTimers(system.timers);
  sleepsMs = hasty.sleepsMs;
  const http = new HttpClient(system, httpSettings({ tls: {}, connectionIdleMs: 500, version: "1" }));
  const doors = { clock: system.clock, timers: hasty.timers, random: { ...system.random, fraction: () => 0 } };
  downloads = new Downloads(doors, http, { triesMax: 4, pauseMsMax: 8000, bytesPerSecondMax: 0 }, log);
});

afterEach(() => server.stop());

async function fetchFrom(answer: Answer, expire?: string): Promise<Buffer> {
  server.on("/a.mender", answer);
  return await wholeOf(expire);
}

async function wholeOf(expire?: string): Promise<Buffer> {
  const source = await downloads.start({ url: `${server.url}/a.mender`, expire });
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of source.content) chunks.push(chunk);
  } finally {
    await source.close();
  }
  return Buffer.concat(chunks);
}

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
const ranges = (): (string | undefined)[] => server.seen("/a.mender").map(({ headers }) => headers.range);

describe("a download", () => {
  it("comes in one piece, without the device's token", async () => {
    expect(sha256(await fetchFrom(artifact(content)))).toBe(sha256(content));
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
    expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });

  it("goes on at the byte at which its connection broke, as often as needed", async () => {
    // Fewer tries are allowed than are needed: those that bring something do not count.
    expect(sha256(await fetchFrom(artifact(content, 40_000)))).toBe(sha256(content));
    const last = content.length - 1;
    expect(ranges()).toEqual([undefined, ...[1, 2, 3, 4, 5, 6, 7].map((n) => `bytes=${n * 40_000}-${last}`)]);
    expect(server.seen("/a.mender")[1]?.headers["if-range"]).toMatch(/^"[0-9a-f]{16}"$/);
    expect(sleepsMs).toEqual([1000, 1000, 1000, 1000, 1000, 1000, 1000]);
    expect(log.lines[0]).toMatch(
      /^warning downloading the artifact: .*the connection broke.*going on at byte 40000 in 1\.0 s/,
    );
  });

  it.each([
    ["whose answers have no length and break off, as long as the server offers ranges", true],
    ["whose answers have no length and break off, whatever their last byte", false],
  ])("goes on with a server %s", async (_name, isCutAtTheEnd) => {
    const offered = { "accept-ranges": "bytes", connection: "close" };
    const cut = isCutAtTheEnd ? content.length : 100_000;
    server.on("/a.mender", (response, { headers }) => {
      response.useChunkedEncodingByDefault = false;
      const [, from] = /^bytes=(\d+)-/.exec(headers.range ?? "") ?? [];
      const start = Number(from ?? 0);
      if (start >= content.length) {
        response.writeHead(416, { ...offered, "content-range": `bytes */${content.length}` }).end();
        return;
      }
      const range = { "content-range": `bytes ${start}-${content.length - 1}/*` };
      response.writeHead(from === undefined ? 200 : 206, { ...offered, ...(from === undefined ? {} : range) });
      response.end(content.subarray(start, start + cut));
    });
    expect(sha256(await wholeOf())).toBe(sha256(content));
    expect(ranges().at(-1)).toBe(`bytes=${content.length}-`);
  });

  it("without a length ends with its connection where the server offers no ranges", async () => {
    const plain: Answer = (response) => {
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, { connection: "close" }).end(content.subarray(0, 1000));
    };
    expect(await fetchFrom(plain)).toEqual(content.subarray(0, 1000));
    expect(ranges()).toEqual([undefined]);
  });

  it("is not taken in an encoding that was not asked for", async () => {
    const encoded = status(200, "compressed", { "content-encoding": "gzip" });
    await expect(fetchFrom(encoded)).rejects.toMatchObject({
      code: "download-failed",
      message: expect.stringContaining("answered in the content encoding gzip, which was not asked for"),
    });
    expect((await fetchFrom(status(200, "plain", { "content-encoding": "identity" }))).toString()).toBe("plain");
  });

  it("takes no link without TLS from a server with TLS, unless artifacts must be signed", async () => {
    server.on("/a.mender", artifact(content));
    const link = { url: `${server.url}/a.mender`, server: "https://updates.example" };
    await expect(downloads.start(link)).rejects.toMatchObject({
      code: "download-link-invalid",
      message: expect.stringMatching(
        /^downloading the artifact: https:\/\/updates\.example gave the link 'http:.*', which has no TLS/,
      ),
    });
    const http = new HttpClient(system, httpSettings());
    const settings = { triesMax: 1, pauseMsMax: 1, bytesPerSecondMax: 0, mayLoseTls: true };
    const signed = new Downloads(system, http, settings, log);
    await (await signed.start(link)).close();
  });

  it("survives servers that fail, are busy or hang before they go on", async () => {
    const flaky = inTurn(
      hangUp,
      artifact(content, 1000),
      status(502, "<html><title>Bad</title><h1>Bad Gateway</h1></html>"),
      status(429, "", { "retry-after": "77" }),
      silence,
      artifact(content),
    );
    expect(sha256(await fetchFrom(flaky))).toBe(sha256(content));
    expect(sleepsMs).toEqual([1000, 1000, 2000, 77_000, 8000]);
    expect(log.lines.join("\n")).toContain("the server answered 502: Bad Gateway; going on at byte 1000");
  });

  it("waits for the artifact behind a portal that answers with a page", async () => {
    const page = status(200, "<html>Please log in</html>", { "content-type": "text/html" });
    expect(sha256(await fetchFrom(inTurn(page, page, artifact(content, 1000), page, artifact(content))))).toBe(
      sha256(content),
    );
    expect(sleepsMs).toEqual([1000, 2000, 1000, 2000]);
  });

  it("is given up after so many tries in a row that brought nothing", async () => {
    await expect(fetchFrom(inTurn(artifact(content, 5000), status(500)))).rejects.toMatchObject({
      code: "download-failed",
      message: expect.stringContaining("given up after 4 tries in a row that brought nothing, at byte 5000 of 300000"),
    });
    expect(server.requests).toHaveLength(5);
    expect(sleepsMs).toEqual([1000, 2000, 4000, 8000]);
  });

  it("is given up when nobody is there", async () => {
    const url = await unusedUrl();
    await expect(downloads.start({ url })).rejects.toThrow(/given up after 4 tries .*: nothing listens there/);
  });

  it("stalls no longer than the idle time, and goes on", async () => {
    const stalling: Answer = (response) => {
      response.writeHead(200, { "content-length": content.length, etag: '"x"' });
      response.write(content.subarray(0, 100));
    };
    const rest: Answer = (response) => {
      response.writeHead(206, { "content-range": `bytes 100-${content.length - 1}/${content.length}`, etag: '"x"' });
      response.end(content.subarray(100));
    };
    expect(sha256(await fetchFrom(inTurn(stalling, rest)))).toBe(sha256(content));
  });

  it.each([
    ["another ETag", artifact(randomBytes(300_000))],
    ["another size", status(200, "short")],
    [
      "another ETag on a part",
      status(206, "x", { etag: '"other"', "content-range": `bytes 5000-${content.length - 1}/${content.length}` }),
    ],
    ["another total", status(206, "x", { "content-range": "bytes 5000-5999/6000" })],
    [
      "a part that begins too late",
      status(206, "x", { "content-range": `bytes 6000-${content.length - 1}/${content.length}` }),
    ],
    ["a part without a range", status(206, "x")],
    ["no such bytes any more", status(416)],
  ])("is ended when the server has another object: %s", async (_name, answer) => {
    await expect(fetchFrom(inTurn(artifact(content, 5000), answer))).rejects.toMatchObject({
      code: "download-object-changed",
      retryable: false,
      message: expect.stringMatching(/after 5000 bytes the server has another object under the same link/),
    });
    expect(server.requests).toHaveLength(2);
  });

  it("skips what it has where the server knows no ranges but has the same object", async () => {
    const whole: Answer = (response) => {
      response.writeHead(200, { etag: '"same"', "content-length": content.length }).end(content);
    };
    const cut: Answer = (response) => {
      response.writeHead(200, { etag: '"same"', "content-length": content.length });
      response.write(content.subarray(0, 70_000), () => response.destroy());
    };
    expect(sha256(await fetchFrom(inTurn(cut, whole)))).toBe(sha256(content));
  });

  it.each([
    [403, "download-link-expired", "(the link has expired or is refused; it was given until 2026-01-02T03:04:05Z)"],
    [404, "download-not-found", "the server answered 404"],
    [401, "download-refused", "the server answered 401"],
    [302, "redirect-refused", "the server answered 302: it sends on to other.example, which is neither the same host"],
    [400, "request-refused", "the server answered 400"],
  ])("is ended by a %i", async (code, name, message) => {
    await expect(
      fetchFrom(status(code, "", { location: "https://other.example/" }), "2026-01-02T03:04:05Z"),
    ).rejects.toMatchObject({
      code: name,
      retryable: false,
      message: expect.stringContaining(message),
    });
    expect(server.requests).toHaveLength(1);
  });

  it("refuses a link that is no URL of the web", async () => {
    await expect(downloads.start({ url: "file:///etc/passwd" })).rejects.toMatchObject({
      code: "download-link-invalid",
    });
  });

  it("ends with the reason of an abort, also in a pause", async () => {
    server.on("/a.mender", status(500));
    const abort = new AbortController();
    const http = new HttpClient(system, httpSettings({ tls: {}, connectionIdleMs: 500, version: "1" }));
    const patient = new Downloads(system, http, { triesMax: 4, pauseMsMax: 3_600_000, bytesPerSecondMax: 0 }, log);
    const start = patient.start({ url: `${server.url}/a.mender` }, abort.signal);
    const ended = expect(start).rejects.toThrow("enough");
    await server.until(() => server.requests.length === 1);
    abort.abort(new Error("enough"));
    await ended;
  });

  it("goes on under a new link when the old one expires, with the same object", async () => {
    server.on("/old.mender", inTurn(artifact(content, 50_000), status(403)));
    server.on("/new.mender", artifact(content));
    let renewals = 0;
    const source = await downloads.start({
      url: `${server.url}/old.mender`,
      renew: async () => {
        renewals++;
        return { url: `${server.url}/new.mender` };
      },
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.content) chunks.push(chunk);
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(content));
    expect(renewals).toBe(1);
    expect(server.seen("/new.mender")[0]?.headers).toMatchObject({
      range: `bytes=50000-${content.length - 1}`,
      "if-range": expect.any(String),
    });
    expect(log.lines.join("\n")).toContain("the server gave a new one; going on at byte 50000");
  });

  it.each([
    ["there is no new one", async () => undefined, "download-link-expired", 1],
    ["the new one is no better", async () => ({ url: `${server.url}/a.mender` }), "download-failed", 5],
  ])("is given up when its link expires and %s", async (_name, renew, code, requests) => {
    server.on("/a.mender", status(403));
    await expect(downloads.start({ url: `${server.url}/a.mender`, renew })).rejects.toMatchObject({ code });
    expect(server.requests).toHaveLength(requests);
  });

  it("is ended when another object is under the new link", async () => {
    server.on("/old.mender", inTurn(artifact(content, 50_000), status(410)));
    server.on("/new.mender", artifact(randomBytes(300_000)));
    const renew = async () => ({ url: `${server.url}/new.mender` });
    const source = await downloads.start({ url: `${server.url}/old.mender`, renew });
    const read = async () => {
      for await (const chunk of source.content) expect(chunk.length).toBeGreaterThan(0);
    };
    await expect(read()).rejects.toMatchObject({ code: "download-object-changed" });
  });

  it("takes no more of the network than it may", async () => {
    server.on("/a.mender", artifact(content));
    let clockMs = 0;
    const sleeps: number[] = [];
    const timers = {
      after: system.timers.after,
      sleep: async (delayMs: number) => {
        sleeps.push(delayMs);
        clockMs += delayMs;
      },
    };
    const http = new HttpClient(system, httpSettings());
    const doors = { clock: { now: () => clockMs, monotonic: () => clockMs }, timers, random: system.random };
    const slow = new Downloads(doors, http, { triesMax: 1, pauseMsMax: 1, bytesPerSecondMax: 10_000 }, log);
    const source = await slow.start({ url: `${server.url}/a.mender` });
    let bytes = 0;
    for await (const chunk of source.content) {
      bytes += chunk.length;
      // Never ahead of the bandwidth by more than this chunk and what one second may save.
      expect(bytes - chunk.length).toBeLessThanOrEqual((clockMs / 1000 + 1) * 10_000 + 1);
    }
    expect(bytes).toBe(content.length);
    expect(clockMs).toBeGreaterThanOrEqual(28_900);
    expect(clockMs).toBeLessThanOrEqual(30_000);
  });

  describe("of which an earlier one came far", () => {
    const leapBytesMin = 10_000;
    const start = (reachedBytes: number) => {
      const http = new HttpClient(system, httpSettings({ tls: {}, connectionIdleMs: 500, version: "1" }));
      const settings = { triesMax: 4, pauseMsMax: 8000, bytesPerSecondMax: 0, leapBytesMin };
      const doors = { clock: system.clock, timers: system.timers, random: system.random };
      return new Downloads(doors, http, settings, log).start(
        { url: `${server.url}/a.mender` },
        undefined,
        reachedBytes,
      );
    };
    /** Reads `readBytes` or a little more, leaves out `gapBytes`, and reads the rest. */
    const readAround = async (source: Awaited<ReturnType<typeof start>>, readBytes: number, gapBytes: number) => {
      const { content } = source;
      const read: Uint8Array[] = [];
      let bytes = 0;
      let left = false;
      for await (const chunk of content) {
        read.push(chunk);
        bytes += chunk.length;
        if (left || bytes < readBytes) continue;
        left = true;
        await content.skip?.(gapBytes);
        // What had come before is what is expected before the gap.
        expect(data.subarray(0, bytes).equals(Buffer.concat(read))).toBe(true);
        read.length = 0;
      }
      await source.close();
      return Buffer.concat(read);
    };
    const data = content;

    it("comes in pieces up to there, and what is at hand is left out by another request", async () => {
      server.on("/a.mender", artifact(content));
      const rest = await readAround(await start(200_000), 10_000, 140_000);
      expect(rest.equals(content.subarray(150_000))).toBe(true);
      expect(ranges()).toEqual([
        "bytes=0-9999",
        "bytes=150000-159999",
        "bytes=160000-179999",
        "bytes=180000-199999",
        "bytes=200000-299999",
      ]);
      expect(
        server
          .seen("/a.mender")
          .slice(1)
          .every(({ headers }) => headers["if-range"]?.length === 18),
      ).toBe(true);
      expect(sleepsMs).toEqual([]);
    });

    it("is read on where no more is at hand than is on its way anyway", async () => {
      server.on("/a.mender", artifact(content));
      const rest = await readAround(await start(20_000), 25_000, 9000);
      expect(rest.equals(content.subarray(content.length - rest.length))).toBe(true);
      expect(ranges()).toEqual(["bytes=0-9999", "bytes=10000-19999", "bytes=20000-299999"]);
    });

    it("comes whole from a server that knows no ranges, and is left out all the same", async () => {
      server.on("/a.mender", (response) => {
        response.writeHead(200, { etag: '"1"', "content-length": content.length }).end(content);
      });
      const source = await start(200_000);
      expect(source.sizeBytes).toBe(content.length);
      const chunks: Uint8Array[] = [];
      for await (const chunk of source.content) {
        chunks.push(chunk);
        if (chunks.length === 1) await source.content.skip?.(150_000 - chunk.length);
      }
      expect(Buffer.concat(chunks.slice(1))).toHaveLength(150_000);
    });

    it("is ended when another object is under the link by the second request", async () => {
      server.on("/a.mender", inTurn(artifact(content), artifact(randomBytes(300_000))));
      await expect(readAround(await start(200_000), 10_000, 150_000)).rejects.toMatchObject({
        code: "download-object-changed",
      });
    });
  });
});
