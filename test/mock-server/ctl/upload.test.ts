// Uploads over a network that breaks them off.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { Operator, withoutColours } from "./operator.ts";

const MB = 1024 * 1024;

/** Says of the bytes that a connection has carried so far whether it breaks now. */
type Breaks = (sent: Buffer, sentBytes: number, received: string) => boolean;

let folder: string;
let server: RunningServer;
let operator: Operator;
let proxy: Server;
let breaks: Breaks;
let broken: number;
const sockets = new Set<Socket>();

function pass(client: Socket): void {
  const upstream = connect(Number(new URL(server.url).port), "127.0.0.1");
  for (const socket of [client, upstream]) {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  }
  let head: Buffer = Buffer.alloc(0);
  let sentBytes = 0;
  const look = (received: string): boolean => {
    if (!breaks(head, sentBytes, received)) return false;
    broken += 1;
    client.destroy();
    upstream.destroy();
    return true;
  };
  client.on("data", (data: Buffer) => {
    // A kept connection carries several requests: the last head counts.
    if (/^(POST|PUT|GET) /.test(data.subarray(0, 8).toString("latin1"))) [head, sentBytes] = [data, 0];
    sentBytes += data.length;
    if (!look("")) upstream.write(data);
  });
  upstream.on("data", (data: Buffer) => {
    if (!look(data.toString("latin1"))) client.write(data);
  });
  client.on("end", () => upstream.end());
  upstream.on("end", () => client.end());
}

function artifact(release: string): string {
  const [content, file] = [join(folder, "content"), join(folder, `${release}.mender`)];
  writeFileSync(content, randomBytes(4 * MB));
  const flags = ["-T", "app", "-n", release, "-t", "board", "-f", content, "-o", file, "--compression", "none"];
  runUpkeepServer(["artifact", "write", "module-image", ...flags]);
  return file;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-upload-"));
  server = await startServer(join(folder, "server"));
  proxy = createServer(pass);
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  operator = new Operator({ UPKEEP_PASSWORD: server.password });
  breaks = () => false;
  broken = 0;
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  await operator.output("login", "--server", url, "--user", server.email);
});

afterEach(() => operator.remove());

test("an upload that breaks off is sent again", async () => {
  breaks = (head, sentBytes) => broken === 0 && head.subarray(0, 4).toString() === "PUT " && sentBytes > MB;
  const { code, stdout, stderr } = await operator.run(["releases", "upload", artifact("v1")]);
  expect(broken).toBe(1);
  expect(stderr).toMatch(/v1\.mender: .*; it is sent again/);
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^v1 {2}[\w-]{36}\n$/) });
});

test("once all of it is there, a broken answer does not send it again", async () => {
  let puts = 0;
  breaks = (head, sentBytes, received) => {
    const text = head.toString("latin1");
    if (text.startsWith("PUT ") && received === "" && sentBytes === head.length) puts += 1;
    return broken === 0 && /^POST \S+\/complete /.test(text) && received !== "";
  };
  expect(await operator.output("releases", "upload", artifact("v2"))).toMatch(/^v2 /);
  expect({ broken, puts }).toEqual({ broken: 1, puts: 1 });
});

test("a server that goes on breaking it off is an error, and what is refused is not sent again", async () => {
  const refused = join(folder, "no.mender");
  writeFileSync(refused, randomBytes(MB));
  const { code, stderr } = await operator.run(["releases", "upload", refused]);
  expect(code).toBe(1);
  expect(stderr).not.toContain("again");
});

test("shows how far it is on a terminal", async () => {
  const seen = await operator.terminal(60, ["releases", "upload", artifact("v3")]);
  expect(seen.code).toBe(0);
  expect(withoutColours(seen.text)).toMatch(/v3\.mender [█░]+ {2}\d+ %, \S+ .?B of 4\.2 MB/);
});
