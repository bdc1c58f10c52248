import { generateKeyPairSync, verify } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readDeviceType } from "../../../agent/device/device-type.ts";
import { readIdentity } from "../../../agent/device/identity.ts";
import { collectInventory } from "../../../agent/device/inventory.ts";
import { loadDeviceKey } from "../../../agent/device/keys.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const system = linuxSystem();

function program(name: string, script: string, mode = 0o755): string {
  const path = join(directory, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, mode);
  return path;
}

describe("the identity", () => {
  it("is what the program says: keys sorted, repeated ones as lists, nothing trimmed", async () => {
    const identity = program("identity", "echo sn=b=c; echo 'mac=aa '; echo mac=bb");
    expect(await readIdentity(system, identity)).toBe('{"mac":["aa ","bb"],"sn":"b=c"}');
  });

  it.each([
    ["echo mac", "identity-malformed", "wrote 'mac', which is not key=value"],
    ["true", "identity-malformed", "wrote nothing that identifies the device"],
    ["echo no network >&2; exit 3", "program-failed", "exited with code 3: no network"],
    ["kill -9 $$", "program-failed", "was ended by SIGKILL"],
    ["head -c 2000000 /dev/zero", "program-failed", "wrote more than 1048576 bytes"],
  ])("is refused when the program does '%s'", async (script, code, message) => {
    const identity = program("bad-identity", script);
    await expect(readIdentity(system, identity)).rejects.toMatchObject({ code, message: `${identity} ${message}` });
  });

  it("is refused when there is no program", async () => {
    await expect(readIdentity(system, join(directory, "none"))).rejects.toThrow("none cannot be started");
  });

  it("does not wait for a program that hangs, nor for what it started", async () => {
    const identity = program("hanging", `echo $$ > ${directory}/pid; sleep 600`);
    const timers = {
      ...system.timers,
      after: (_delayMs: number, action: () => void) => system.timers.after(200, action),
    };
    await expect(readIdentity({ processes: system.processes, timers }, identity)).rejects.toThrow(
      "took longer than 10 s and was ended",
    );
    expect(existsSync(`/proc/${readFileSync(join(directory, "pid"), "utf8").trim()}`)).toBe(false);
  });
});

describe("the device type", () => {
  const file = (content: string): string => {
    writeFileSync(join(directory, "device_type"), content);
    return join(directory, "device_type");
  };

  it("is the one line of its file", async () => {
    expect(await readDeviceType(system.files, file("device_type=raspberrypi4-64\n"))).toBe("raspberrypi4-64");
    expect(await readDeviceType(system.files, file("\ndevice_type=a b=c"))).toBe("a b=c");
  });

  it.each(["", "device_type=", "type=x", "device_type=a\ndevice_type=b\n"])("is not found in %j", async (content) => {
    await expect(readDeviceType(system.files, file(content))).rejects.toMatchObject({
      code: "device-type-unknown",
      message: expect.stringContaining(`but holds ${JSON.stringify(content)}`),
    });
  });

  it("is named as missing with its file", async () => {
    await expect(readDeviceType(system.files, "/no/device_type")).rejects.toThrow("/no/device_type does not exist");
  });
});

describe("the device's key", () => {
  const data = Buffer.from("exactly these bytes");

  it("is made once, for its owner alone", async () => {
    const path = join(directory, "data/mender-agent.pem");
    let generated = 0;
    const load = () => loadDeviceKey(system.files, { path, generate: "ed25519" }, () => generated++);
    const made = await load();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect((await load()).publicPem).toBe(made.publicPem);
    expect(generated).toBe(1);
    expect(verify(null, data, made.publicPem, Buffer.from(await made.sign(data), "base64"))).toBe(true);
  });

  it.each([
    [
      "RSA in PKCS#1",
      () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }),
    ],
    [
      "ECDSA in SEC 1",
      () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "sec1", format: "pem" }),
    ],
  ])("may be there already: %s", async (name, make) => {
    const path = join(directory, `${name}.pem`);
    writeFileSync(path, make());
    const key = await loadDeviceKey(system.files, { path }, () => expect.unreachable());
    expect(key.publicPem).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(verify("sha256", data, key.publicPem, Buffer.from(await key.sign(data), "base64"))).toBe(true);
  });

  it("is never replaced when it cannot be read: the server would see another device", async () => {
    const path = join(directory, "broken.pem");
    writeFileSync(path, "");
    await expect(loadDeviceKey(system.files, { path, generate: "ed25519" }, () => undefined)).rejects.toMatchObject({
      code: "key-unusable",
      message: `${path} holds no PEM private key; it is left as it is`,
    });
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it("that is encrypted or cannot sign is named as that", async () => {
    const path = join(directory, "odd.pem");
    const encrypted = generateKeyPairSync("ed25519").privateKey.export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "x",
    });
    writeFileSync(path, encrypted);
    await expect(loadDeviceKey(system.files, { path }, () => undefined)).rejects.toThrow("is encrypted");
    writeFileSync(path, generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" }));
    await expect(loadDeviceKey(system.files, { path }, () => undefined)).rejects.toThrow("x25519, which cannot sign");
  });

  it("that is configured is never made", async () => {
    const path = join(directory, "static.pem");
    await expect(loadDeviceKey(system.files, { path }, () => undefined)).rejects.toThrow(
      `the key ${path} does not exist`,
    );
    expect(existsSync(path)).toBe(false);
  });
});

describe("the inventory", () => {
  it("is what all programs say, over what the agent knows itself", async () => {
    program("inventory/mender-inventory-b", "echo ip=1; echo ip=2; echo artifact_name=odd");
    program("inventory/mender-inventory-a", "echo cpu=fast; echo ip=0");
    program("inventory/mender-inventory-fails", "exit 1");
    program("inventory/mender-inventory-bad", "echo good=1; echo nonsense; echo lost=1");
    program("inventory/mender-inventory-text", "echo never=1", 0o644);
    program("inventory/other", "echo never=1");
    const log = new KeptLog();
    const attributes = await collectInventory(system, {
      directory: join(directory, "inventory"),
      version: "9.9",
      known: { device_type: "board", artifact_name: "r1" },
      log,
    });
    expect(attributes).toEqual([
      { name: "artifact_name", value: "odd" },
      { name: "cpu", value: "fast" },
      { name: "device_type", value: "board" },
      { name: "good", value: "1" },
      { name: "ip", value: ["0", "1", "2"] },
      { name: "mender_client_version", value: "9.9" },
      { name: "mender_client_version_provider", value: "internal" },
    ]);
    expect(log.lines).toEqual([
      expect.stringContaining("mender-inventory-bad wrote 'nonsense', which is not key=value"),
      expect.stringContaining("mender-inventory-fails exited with code 1"),
    ]);
  });

  it("is what the agent knows where there are no programs, and fails where all of them fail", async () => {
    const options = { version: "1", known: {}, log: new KeptLog() };
    expect(await collectInventory(system, { ...options, directory: "/no/inventory" })).toHaveLength(2);
    program("all-fail/mender-inventory-x", "exit 1");
    await expect(
      collectInventory(system, { ...options, directory: join(directory, "all-fail") }),
    ).rejects.toMatchObject({
      code: "inventory-empty",
      retryable: true,
    });
  });
});
