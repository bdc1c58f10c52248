import { verify } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadEngineKey } from "../../../agent/device/engine-key.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { createToken } from "../system/token.ts";

const directory = temporaryDirectory();
const system = linuxSystem();
const data = Buffer.from('{"id_data":"{}"}');
let uri: (key: "rsa" | "ec") => string;

beforeAll(() => {
  ({ uri } = createToken(directory));
});

describe("a key in hardware", () => {
  it.each(["rsa", "ec"] as const)("signs what is sent to the server, without leaving the token: %s", async (kind) => {
    const before = readdirSync(directory);
    const key = await loadEngineKey(system, { engine: "pkcs11", uri: uri(kind) }, directory);
    expect(key.publicPem).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    const signature = Buffer.from(await key.sign(data), "base64");
    expect(verify("sha256", data, key.publicPem, signature)).toBe(true);
    expect(readdirSync(directory)).toEqual(before);
  });

  it.each([
    ["that is not in the token", "pkcs11", "pkcs11:token=device;object=none?pin-value=1234"],
    ["behind an engine that there is not", "no-such-engine", "pkcs11:token=device;object=rsa?pin-value=1234"],
  ])("%s is named, and its PIN is not", async (_name, engine, place) => {
    const refused = await loadEngineKey(system, { engine, uri: place }, directory).then(
      () => expect.unreachable(),
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({
      code: "key-unusable",
      message: expect.stringMatching(/^Security\.AuthPrivateKey: reading the public key failed: openssl .+/),
    });
    expect(String(refused)).not.toContain("1234");
  });

  it("cannot be used where there is no openssl", async () => {
    const start = system.processes.start;
    const processes = {
      ...system.processes,
      start: (spec: Parameters<typeof start>[0]) => start({ ...spec, command: join(directory, "openssl") }),
    };
    const place = { engine: "pkcs11", uri: uri("ec") };
    await expect(loadEngineKey({ ...system, processes }, place, directory)).rejects.toThrow(
      "openssl cannot be started",
    );
  });
});
