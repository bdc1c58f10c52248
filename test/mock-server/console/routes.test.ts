import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { buildApplication } from "../../../mock-server/api/application.ts";
import { consoleRoutes } from "../../../mock-server/console/routes.ts";
import { DEFAULT_OPTIONS } from "../../../mock-server/index.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { TestServer } from "../api/fixture.ts";

const PAGE = '<!doctype html><head><base href="/" /></head>';
const SCRIPT = "console.log(1);".repeat(100);
const nothing = undefined as never;

/** A server with a built page. */
async function serve(isProxy?: (address: string) => boolean, hasControls = false) {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-console-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), PAGE);
  writeFileSync(join(folder, "assets/main-abc.js"), SCRIPT);
  writeFileSync(join(folder, "assets/notes.txt"), "not of the page");
  const { domain } = await TestServer.open();
  const app = await buildApplication({
    system: openSystem(),
    domain,
    blobs: nothing,
    links: nothing,
    options: { ...DEFAULT_OPTIONS, ...(isProxy === undefined ? {} : { isProxy }) },
    logger: { debug: () => undefined, info: () => undefined } as never,
    pages: await consoleRoutes(openSystem().files, folder, hasControls),
  });
  onTestFinished(() => app.close());
  return app;
}

test.each(["/", "/devices", "/devices/an-id", "/deployments/new", "/releases/a%20name"])(
  "%s is the page: without a login, under a policy that permits this server's scripts alone",
  async (url) => {
    const answer = await (await serve()).inject(url);
    expect([answer.statusCode, answer.body]).toEqual([200, PAGE]);
    expect(answer.headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    });
    const policy = String(answer.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'; require-trusted-types-for 'script'");
  },
);

test("the page of test controls is there where the server has them, and the console is told of it", async () => {
  const told = '<meta name="upkeep-test-controls" />';
  const without = await serve();
  expect((await without.inject("/scenarios")).statusCode).toBe(404);
  expect((await without.inject("/")).body).not.toContain(told);
  const having = await serve(undefined, true);
  expect((await having.inject("/scenarios")).body).toContain(told);
});

test("what is no page is not found", async () => {
  const app = await serve();
  for (const url of ["/device", "/devices/a/b", "/assets/notes.txt", "/assets/../index.html", "/index.html"]) {
    expect([url, (await app.inject(url)).statusCode]).toEqual([url, 404]);
  }
});

test("scripts are kept by browsers for ever: their names change with their content", async () => {
  const app = await serve();
  const answer = await app.inject("/assets/main-abc.js");
  expect(answer.body).toBe(SCRIPT);
  expect(answer.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
  expect(answer.headers["content-type"]).toBe("text/javascript; charset=utf-8");
  expect((await app.inject({ url: "/assets/main-abc.js", method: "HEAD" })).body).toBe("");
});

test.each([
  ["gzip", true],
  ["br, gzip;q=0.5", true],
  ["deflate", false],
  ["gzip;q=0", false],
  ["", false],
])("for a client that takes '%s', they are compressed: %s", async (accepted, isCompressed) => {
  const app = await serve();
  for (const [url, content] of [
    ["/", PAGE],
    ["/assets/main-abc.js", SCRIPT],
  ] as const) {
    const answer = await app.inject({ url, headers: { "accept-encoding": accepted } });
    expect(answer.headers.vary).toBe("Accept-Encoding");
    expect(answer.headers["content-encoding"]).toBe(isCompressed ? "gzip" : undefined);
    expect((isCompressed ? gunzipSync(answer.rawPayload) : answer.rawPayload).toString()).toBe(content);
  }
});

test("behind a proxy that removes a prefix, links of the page begin with the prefix", async () => {
  const app = await serve(() => true);
  const answer = await app.inject({ url: "/devices", headers: { "x-forwarded-prefix": "/ota" } });
  expect(answer.body).toContain('<base href="/ota/" />');
  const forged = await app.inject({ url: "/devices", headers: { "x-forwarded-prefix": '/"><script>' } });
  expect(forged.body).toBe(PAGE);
});

test("the pages are no part of the API document", async () => {
  const { paths } = (await (await serve()).inject("/api/openapi.json")).json();
  expect(Object.keys(paths).filter((path) => !path.startsWith("/api/"))).toEqual(
    expect.not.arrayContaining(["/", "/devices", "/assets/main-abc.js"]),
  );
});

test("a server whose page was not built has none, and works", async () => {
  expect(await consoleRoutes(openSystem().files, "/nowhere")).toEqual([]);
});
