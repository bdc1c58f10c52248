import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type SeenRequest, SupportServer } from "../agent/support-server/server.ts";
import { createAgentRoot, startAgent } from "../support/agent.ts";
import { KeptRunning } from "../support/program.ts";
import { until } from "../support/waiting.ts";
import { describePeer, requirePeer } from "./peers.ts";

const MIB = 1024 * 1024;
const ID = "b0000000-0000-4000-8000-000000000001";
/** What the agent writes down how far it is after, and so what a restart may cost at most. */
const PACE_BYTES = 4 * MIB;
/** What is on its way when a connection ends: the server's and the device's buffers, and a header. */
const ON_ITS_WAY_BYTES = MIB;
const FILES = { first: randomBytes(6 * MIB), second: randomBytes(14 * MIB) };

/** Takes the files as they are stored, or reads them from the stream; either way they end up beside it. */
const KEEPER = `#!/bin/sh
set -e
case "$1" in
  Download)
    echo "$1" >> "$DEVICE/downloads"
    [ "$STREAMS" = yes ] || exit 0
    while line=$(cat stream-next) && [ -n "$line" ]; do cat "$line" > "$DEVICE/$(basename "$line")"; done ;;
  ArtifactInstall) [ "$STREAMS" = yes ] || cp files/* "$DEVICE" ;;
  NeedsArtifactReboot) echo No ;;
  SupportsRollback) echo No ;;
esac
`;

let folder: string;
let server: SupportServer;
let agent: KeptRunning | undefined;
let count = 0;
let servedBytes = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-resumed-"));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, name), content);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  servedBytes = 0;
  server = await SupportServer.start();
});

afterEach(async () => {
  await agent?.stop();
  await server.stop();
});

/** Serves ranges of `content` no faster than a mobile network would, and counts what it hands to the network. */
async function serveSlowly(content: Buffer, etag: string, response: ServerResponse, { headers }: SeenRequest) {
  const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
  const ranged = from !== undefined && (headers["if-range"] === undefined || headers["if-range"] === etag);
  const start = ranged ? Number(from) : 0;
  const end = ranged && last ? Math.min(Number(last) + 1, content.length) : content.length;
  response.writeHead(ranged ? 206 : 200, {
    etag,
    "content-length": end - start,
    ...(ranged ? { "content-range": `bytes ${start}-${end - 1}/${content.length}` } : {}),
  });
  for (let offset = start; offset < end && !response.destroyed; offset += 64 * 1024) {
    const piece = content.subarray(offset, Math.min(offset + 64 * 1024, end));
    servedBytes += piece.length;
    await new Promise((resolve) => {
      // Called also when the connection is gone.
      response.write(piece, resolve);
    });
    await delay(5);
  }
  response.end();
}

const reported = (): string[] =>
  server.seen(DEVICE_PATHS.status(ID)).map(({ body }) => (JSON.parse(body) as { status: string }).status);
const ended = (): boolean => reported().some((status) => status === "success" || status === "failure");

/** Offers the artifact to a new device until it has told how it ended. */
function offer(content: Buffer, environment: Readonly<Record<string, string>>): { root: string; program: KeptRunning } {
  const etag = `"${createHash("sha256").update(content).digest("hex").slice(0, 16)}"`;
  server.on("/artifact", (response, request) => void serveSlowly(content, etag, response, request));
  server.on(DEVICE_PATHS.nextV2, (response) => {
    if (ended()) response.writeHead(204).end();
    else response.end(JSON.stringify({ id: ID, artifact: { source: { uri: `${server.url}/artifact` } } }));
  });
  const root = join(folder, `device-${++count}`);
  mkdirSync(root);
  createAgentRoot(root, {
    serverUrl: server.url,
    deviceType: "board",
    identity: { serial: "1" },
    modules: { keeper: KEEPER },
  });
  const program = new KeptRunning(() => startAgent(root, { environment: { DEVICE: root, ...environment } }));
  agent = program;
  return { root, program };
}

interface Journal {
  readonly update: { readonly download?: { readonly reachedBytes: number } } | null;
}

/** How far the download is, as the journal has it. */
function writtenDown(root: string): number {
  const path = join(root, "var/lib/mender/upkeep-store.json");
  const text = existsSync(path) ? readFileSync(path, "utf8") : '{"update": null}';
  return (JSON.parse(text) as Journal).update?.download?.reachedBytes ?? 0;
}

async function killWhen(what: string, condition: () => boolean, program: KeptRunning): Promise<void> {
  await until(what, () => condition() || undefined, { explain: () => program.output() });
  await program.kill();
}

async function finish(root: string, program: KeptRunning): Promise<void> {
  await until("the deployment has ended", () => ended() || undefined, { explain: () => program.output() });
  expect(reported().at(-1), program.output()).toBe("success");
  expect(new Set(reported())).toEqual(new Set(["downloading", "installing", "success"]));
  for (const [name, content] of Object.entries(FILES))
    expect(readFileSync(join(root, name)).equals(content), name).toBe(true);
}

describePeer(["mender-artifact"], "a download whose agent is killed twice", () => {
  const write = (compression: string): Buffer => {
    const path = join(folder, `${compression}.mender`);
    const files = Object.keys(FILES).flatMap((name) => ["-f", join(folder, name)]);
    const flags = ["-T", "keeper", "-n", "new", "-t", "board", "-o", path];
    const words = ["--compression", compression, "write", "module-image", ...flags, ...files];
    execFileSync(requirePeer("mender-artifact"), words, { stdio: "pipe" });
    return readFileSync(path);
  };

  it("goes on, and the server sends hardly more than once what is not compressed", async () => {
    const content = write("none");
    const { root, program } = offer(content, { STREAMS: "no" });
    await killWhen("some is written down", () => writtenDown(root) > 0, program);
    await killWhen("the second file is under way", () => writtenDown(root) > 12 * MIB, program);
    await finish(root, program);
    expect(servedBytes).toBeGreaterThanOrEqual(content.length);
    expect(servedBytes).toBeLessThan(content.length + 2 * (PACE_BYTES + ON_ITS_WAY_BYTES));
    // Little was asked for in vain: the header in small pieces, and the rest from where it was written down.
    const ranges = server.seen("/artifact").map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => range !== undefined)).toBe(true);
    expect(program.output()).toContain("going on with second, of which");
  });

  it("goes on with what is compressed: it is fetched again, and installed once", async () => {
    const content = write("gzip");
    const { root, program } = offer(content, { STREAMS: "no" });
    await killWhen("some is written down", () => writtenDown(root) > 0, program);
    const before = servedBytes;
    await killWhen("more came", () => servedBytes > before + 2 * MIB, program);
    await finish(root, program);
    expect(reported().filter((status) => status === "downloading")).toHaveLength(3);
    expect(servedBytes).toBeLessThan(3 * content.length);
  });

  it("starts over for an update module that streams", async () => {
    const content = write("none");
    const { root, program } = offer(content, { STREAMS: "yes" });
    await killWhen("some came", () => servedBytes > 2 * MIB, program);
    await killWhen("more came", () => servedBytes > 6 * MIB, program);
    await finish(root, program);
    expect(readFileSync(join(root, "downloads"), "utf8").trim().split("\n")).toHaveLength(3);
    expect(servedBytes).toBeGreaterThan(content.length + 4 * MIB);
  });
});
