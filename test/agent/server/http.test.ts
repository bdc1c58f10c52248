import { getEventListeners } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Downloads } from "../../../agent/server/download.ts";
import { HttpClient, type Question } from "../../../agent/server/http.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import { artifact, SupportServer, status } from "../support-server/server.ts";
import { httpSettings } from "../support-server/settings.ts";
import { hastyTimers } from "../support-server/timers.ts";

const content = Buffer.alloc(300_000, "content");
const system = linuxSystem();
const http = new HttpClient(system, httpSettings({ tls: {}, connectionIdleMs: 500, version: "1" }));
let server: SupportServer;
let question: Question;
const program = new AbortController();
const listeners = (): number => getEventListeners(program.signal, "abort").length;

beforeEach(async () => {
  server = (await SupportServer.start()).on("/a", artifact(content)).on("/cut", artifact(content, 10_000));
  question = { what: "asking", method: "GET", url: `${server.url}/a`, signal: program.signal };
});

afterEach(() => server.stop());

/** Reads a body to its end, or to where it breaks. */
async function readAll(body: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of body) bytes += chunk.length;
  } catch {
    return -1;
  }
  return bytes;
}

it.each([
  ["of an answer", {}],
  ["of a stream", { streams: true as const }],
])("nothing hangs on the caller's signal after the end %s, however it came", async (_name, kind) => {
  const whole = await http.ask({ ...question, ...kind });
  expect(listeners()).toBe(1);
  expect(await readAll(whole.body)).toBe(content.length);
  expect(listeners()).toBe(0);
  const broken = await http.ask({ ...question, ...kind, url: `${server.url}/cut` });
  expect(await readAll(broken.body)).toBe(-1);
  expect(listeners()).toBe(0);
  (await http.ask({ ...question, ...kind })).cancel();
  expect(listeners()).toBe(0);
  for await (const _chunk of (await http.ask({ ...question, ...kind })).body) break;
  expect(listeners()).toBe(0);
});

it("a download that goes on again and again leaves nothing on the signals that it hangs on", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on("warning", onWarning);
  const { timers } = hastyTimers(system.timers);
  const settings = { triesMax: 4, pauseMsMax: 8000, bytesPerSecondMax: 0 };
  const downloads = new Downloads({ ...system, timers }, http, settings, new KeptLog());
  // Thirty connections: more than the eleven from which on Node suspects a leak.
  const source = await downloads.start({ url: `${server.url}/cut` }, program.signal);
  expect(await readAll(source.content)).toBe(content.length);
  await source.close();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
  expect(listeners()).toBe(0);
});

it("each request has an id of its own, also the one that follows a redirect", async () => {
  server.on("/old", status(307, "", { location: "/a" }));
  (await http.ask({ ...question, url: `${server.url}/old` })).cancel();
  (await http.ask(question)).cancel();
  const ids = server.requests.map(({ headers }) => headers["x-men-requestid"]);
  expect(ids).toHaveLength(3);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^[0-9a-z]+-[0-9a-z]+$/);
});

it("a refused token is renewed once, and the request sent again with the new one", async () => {
  server.on("/secret", (response, { headers }) => {
    response.writeHead(headers.authorization === "Bearer new" ? 200 : 401).end();
  });
  const bearer = (fresh: string) =>
    new (class {
      token = "old";
      renewals = 0;
      async renew(): Promise<void> {
        this.renewals += 1;
        this.token = fresh;
      }
    })();
  for (const [fresh, expected] of [
    ["new", 200],
    ["old", 401],
  ] as const) {
    const held = bearer(fresh);
    const answer = await http.ask({ ...question, url: `${server.url}/secret`, bearer: held });
    answer.cancel();
    expect([answer.status, held.renewals]).toEqual([expected, 1]);
  }
});
