import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { expect, onTestFinished, test } from "vitest";
import { type Listening, listen } from "../../mock-server/system/listen.ts";
import { DEPLOYMENTS, makeArtifact, TestServer } from "../mock-server/api/fixture.ts";

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Bytes as the client reads them from the output of a program, whatever their encoding. */
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** As the client writes JSON: it escapes these and nothing else, and leaves bytes that are not UTF-8 as they are. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/**
 * Sends the bytes that a Mender 5 client sends, as its sources build them. Headers come from a hash map, so their order is
 * none that a person would choose: mostly the reverse of that in which they are set, with `HOST` in capitals, and
 * `Content-Length` before `Content-Type`. Every request has a connection of its own.
 */
class Mender5 {
  readonly #port: number;
  readonly #keys = generateKeyPairSync("ed25519");
  readonly #identity: string;
  readonly #tier: string | undefined;
  token = "";

  /** @param identity Values of the identity program's output, each character a byte. */
  constructor(port: number, identity: string, tier?: string) {
    this.#port = port;
    this.#identity = identity;
    this.#tier = tier;
  }

  async send(method: string, path: string, headers: readonly string[] = [], body?: Buffer): Promise<Answer> {
    const length = body === undefined ? [] : [`Content-Length: ${body.length}`, "Content-Type: application/json"];
    const lines = [
      `${method} ${path} HTTP/1.1`,
      "User-Agent: Mender/5.1.0",
      `HOST: 127.0.0.1:${this.#port}`,
      ...headers,
      ...length,
    ];
    const socket = connect(this.#port, "127.0.0.1");
    try {
      socket.write(Buffer.concat([latin1(`${lines.join("\r\n")}\r\n\r\n`), body ?? Buffer.alloc(0)]));
      let received = Buffer.alloc(0);
      for (;;) {
        const answer = parsed(received);
        if (answer !== undefined) return answer;
        const [chunk] = (await once(socket, "data")) as [Buffer];
        received = Buffer.concat([received, chunk]);
      }
    } finally {
      socket.destroy();
    }
  }

  /** With its token, as each call of the API. */
  ask(method: string, path: string, body?: string): Promise<Answer> {
    const headers = [`Authorization: Bearer ${this.token}`, "Accept: application/json"];
    return this.send(method, path, headers, body === undefined ? undefined : latin1(body));
  }

  /** The keys of the body come from a hash map as well. */
  async logIn(): Promise<Answer> {
    const pem = this.#keys.publicKey.export({ type: "spki", format: "pem" }).toString();
    const tier = this.#tier === undefined ? "" : `"tier":"${this.#tier}",`;
    const body = latin1(`{"pubkey":"${escaped(pem)}",${tier}"id_data":"${escaped(`{"serial":"${this.#identity}"}`)}"}`);
    const signature = sign(null, body, this.#keys.privateKey).toString("base64");
    const headers = ["Authorization: API_KEY", `X-MEN-Signature: ${signature}`, "Accept: application/json"];
    const answer = await this.send("POST", DEVICE_PATHS.authRequests, headers, body);
    if (answer.status === 200) this.token = answer.body.toString();
    return answer;
  }

  next(provides: string): Promise<Answer> {
    return this.ask("POST", DEVICE_PATHS.nextV2, `{"device_provides":{${provides}}}`);
  }

  status(deployment: string, status: string): Promise<Answer> {
    return this.ask("PUT", DEVICE_PATHS.status(deployment), `{"status":"${status}"}`);
  }
}

function parsed(received: Buffer): Answer | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const body = received.subarray(end + 4);
  const length = Number(headers.get("content-length") ?? 0);
  if (headers.has("transfer-encoding")) throw new Error("the client would have to read chunks");
  if (body.length < length) return undefined;
  return { status: Number(first.split(" ")[1]), headers, body: body.subarray(0, length) };
}

async function listening(): Promise<{ readonly server: TestServer; readonly port: number }> {
  const server = await TestServer.open();
  const socket: Listening = await listen(server.app.listener, { host: "127.0.0.1", port: 0 });
  onTestFinished(() => void socket.close(0));
  return { server, port: socket.port };
}

async function accept(server: TestServer): Promise<string> {
  const [device] = (await server.manage("/api/management/v2/devauth/devices")).json();
  const status = `/api/management/v2/devauth/devices/${device.id}/auth/${device.auth_sets[0].id}/status`;
  expect((await server.manage(status, { method: "PUT", body: { status: "accepted" } })).statusCode).toBe(204);
  return device.id;
}

test("a Mender 5 client is updated, and logs in again in the middle as it does", async () => {
  const { server, port } = await listening();
  const client = new Mender5(port, "1234", "standard");
  expect((await client.logIn()).status).toBe(401);
  const id = await accept(server);
  expect((await client.logIn()).headers.get("content-type")).toBe("application/jwt");

  const version =
    '{"name":"mender_client_version","value":"5.1.0"},{"name":"mender_client_version_provider","value":"internal"}';
  const inventory = `[${version},{"name":"ip","value":["192.0.2.1","2001:db8::1"]}]`;
  // Only 200 counts for it.
  expect((await client.ask("PUT", DEVICE_PATHS.inventory, inventory)).status).toBe(200);

  const content = await makeArtifact({ name: "release-2" });
  expect((await server.upload(content)).statusCode).toBe(201);
  const deployment = await server.deployed("release-2", [id]);
  const provides = '"artifact_name":"release-1","device_type":"board","rootfs-image.version":"release-1"';
  const instructions = await client.next(provides);
  expect(instructions.status).toBe(200);
  const { id: told, artifact } = JSON.parse(instructions.body.toString());
  expect(told).toBe(deployment);
  // Only 204 counts for it.
  expect((await client.status(deployment, "downloading")).status).toBe(204);
  const { pathname, search } = new URL(artifact.source.uri);
  expect((await client.send("GET", pathname + search)).body.equals(content)).toBe(true);
  const range = `Range: bytes=100-${content.length - 1}`;
  const rest = await client.send("GET", pathname + search, [range]);
  expect([rest.status, rest.headers.get("content-range")]).toEqual([
    206,
    `bytes 100-${content.length - 1}/${content.length}`,
  ]);
  expect((await client.status(deployment, "installing")).status).toBe(204);
  // It throws its token away before it commits, and reports the same status again.
  expect((await client.logIn()).status).toBe(200);
  expect((await client.status(deployment, "installing")).status).toBe(204);
  expect((await client.status(deployment, "success")).status).toBe(204);
  expect((await client.next(provides.replaceAll("release-1", "release-2"))).status).toBe(204);

  const shown = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}`)).json();
  expect(shown).toMatchObject({ status: "finished", statistics: { status: { success: 1 } } });
});

test.each(["standard", "micro", "system", undefined])("a client of tier %s is let in", async (tier) => {
  const { server, port } = await listening();
  const client = new Mender5(port, "1234", tier);
  expect((await client.logIn()).status).toBe(401);
  await accept(server);
  expect((await client.logIn()).status).toBe(200);
});

test("bytes that are not UTF-8 keep no client out, and its other attributes arrive", async () => {
  const { server, port } = await listening();
  const client = new Mender5(port, "caf\xe9", "standard");
  expect((await client.logIn()).status).toBe(401);
  const id = await accept(server);
  expect((await client.logIn()).status).toBe(200);
  // The same bytes are the same device.
  expect((await server.manage("/api/management/v2/devauth/devices")).json()).toHaveLength(1);

  const inventory = '[{"name":"ssid","value":"caf\xe9"},{"name":"kernel","value":"6.1"}]';
  expect((await client.ask("PUT", DEVICE_PATHS.inventory, inventory)).status).toBe(200);
  const { attributes } = (await server.manage(`/api/management/v1/inventory/devices/${id}`)).json();
  expect(attributes).toContainEqual(expect.objectContaining({ name: "kernel", value: "6.1", scope: "inventory" }));

  await server.uploaded({ name: "release-2" });
  const deployment = await server.deployed("release-2", [id]);
  const provides = '"artifact_name":"release-1","device_type":"board","note":"caf\xe9"';
  expect((await client.next(provides)).status).toBe(200);
  const log = '{"messages":[{"timestamp":"2027-01-01T00:00:00Z","level":"error","message":"caf\xe9"}]}';
  expect((await client.ask("PUT", DEVICE_PATHS.log(deployment), log)).status).toBe(204);
  expect((await client.status(deployment, "failure")).status).toBe(204);
});

test("a token that is not good is a 401 without a body: with one, the client would exit", async () => {
  const { port } = await listening();
  const client = new Mender5(port, "1234");
  client.token = "a.b.c";
  const calls: readonly (readonly [string, string, string?])[] = [
    ["POST", DEVICE_PATHS.nextV2, '{"device_provides":{}}'],
    ["GET", `${DEVICE_PATHS.nextV1}?artifact_name=a&device_type=b`],
    ["PUT", DEVICE_PATHS.status("00000000-0000-4000-8000-000000000001"), '{"status":"installing"}'],
    ["PUT", DEVICE_PATHS.log("00000000-0000-4000-8000-000000000001"), '{"messages":[]}'],
    ["PUT", DEVICE_PATHS.inventory, "[]"],
  ];
  for (const [method, path, body] of calls) {
    const answer = await client.ask(method, path, body);
    expect([answer.status, answer.headers.get("content-length"), answer.body.length], path).toEqual([401, "0", 0]);
  }
});
