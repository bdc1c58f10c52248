import { generateKeyPairSync, verify } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
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

  it("has no carriage returns of lines that end with CR LF, and keeps all others", async () => {
    const identity = program("crlf-identity", "printf 'imei=35209900\\r\\n\\r\\nsn=a\\rb\\r\\r\\n'");
    expect(await readIdentity(system, identity)).toBe('{"imei":"35209900","sn":"a\\rb\\r"}');
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

  it.each([
    ["printf 'sn=caf\\351\\n'", "'sn=caf\ufffd' with bytes that are not UTF-8"],
    ["printf 'mac=1\\ns\\351n=2\\n'", "'s\ufffdn=2' with bytes that are not UTF-8"],
    ["printf 'mac=1\\nmac=\\0002\\n'", "'mac=\ufffd2' with a NUL character"],
  ])("is refused, not changed, when it cannot be sent exactly: %s", async (script, what) => {
    const identity = program("inexact-identity", script);
    await expect(readIdentity(system, identity)).rejects.toMatchObject({
      code: "identity-malformed",
      message: `${identity} wrote ${what}: an identity must be sent as it is`,
    });
  });

  it("is refused when there is no program", async () => {
    await expect(readIdentity(system, join(directory, "none"))).rejects.toThrow("none cannot be started");
  });

  it("fails, naming what is wrong with the line that names its interpreter", async () => {
    const program = join(directory, "script");
    const failure = (text: string) => {
      writeFileSync(program, text, { mode: 0o755 });
      return expect(readIdentity(system, program)).rejects;
    };
    await failure("#!/bin/sh\r\necho mac=1\r\n").toThrow(
      `its interpreter /bin/sh\\r is missing, because the file has Windows line ends (CRLF); it needs Unix ones (LF)`,
    );
    await failure("#!/opt/no such\necho mac=1\n").toThrow(/: its interpreter \/opt\/no is missing$/);
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

describe("a program that is under way", () => {
  it.each([
    ["identity", (path: string, signal: AbortSignal) => readIdentity(system, path, signal)],
    [
      "inventory",
      (path: string, signal: AbortSignal) =>
        collectInventory(system, {
          directories: [join(path, "..")],
          version: "1",
          known: {},
          log: new KeptLog(),
          signal,
        }),
    ],
  ])("is ended with the signal, and so is the wait for it: %s", async (name, run) => {
    const started = join(directory, `${name}-started`);
    const path = program(`ended-${name}/mender-inventory-1`, `mkfifo ${started}; echo $$ > ${started}; sleep 600`);
    program(`ended-${name}/mender-inventory-2`, "sleep 600");
    const stop = new AbortController();
    const running = run(path, stop.signal);
    const failed = expect(running).rejects.toThrow("stopped by the test");
    await expect.poll(() => existsSync(started)).toBe(true);
    const pid = (await readFile(started, "utf8")).trim();
    stop.abort(new Error("stopped by the test"));
    await failed;
    expect(existsSync(`/proc/${pid}`)).toBe(false);
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

  it("that others can read after a copy is its owner's alone again, and the warning names it", async () => {
    const path = join(directory, "mender-agent.pem");
    const location = { path, generate: "ed25519" } as const;
    await loadDeviceKey(system.files, location, () => undefined);
    chmodSync(path, 0o644);
    const warnings: string[] = [];
    await loadDeviceKey(system.files, location, expect.unreachable, (message) => warnings.push(message));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([`others could read the device's key ${path} (mode 644); now only its owner can`]);
    // One that a person configured is that person's.
    chmodSync(path, 0o640);
    await loadDeviceKey(system.files, { path }, expect.unreachable, expect.unreachable);
    expect(statSync(path).mode & 0o777).toBe(0o640);
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
      directories: [join(directory, "inventory")],
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

  it("keeps nothing away for an attribute that cannot be sent as it is, or not at all", async () => {
    const long = "n".repeat(1025);
    const wide = "é".repeat(1025);
    program("odd/mender-inventory-latin1", "printf 'ssid=caf\\351\\nz=\\0001\\nplain=1\\n'");
    program("odd/mender-inventory-long", `echo ${long}=1; echo ${wide}=2; echo after=1`);
    program("odd/mender-inventory-nameless", "echo before=1; echo =2");
    const log = new KeptLog();
    const options = { directories: [join(directory, "odd")], version: "9.9", known: {}, log };
    const attributes = await collectInventory(system, options);
    expect(attributes.filter(({ name }) => !name.startsWith("mender_client"))).toEqual([
      { name: "after", value: "1" },
      { name: "before", value: "1" },
      { name: "plain", value: "1" },
      { name: "ssid", value: "caf\ufffd" },
      { name: "z", value: "\ufffd1" },
    ]);
    const at = (name: string) => join(directory, "odd", `mender-inventory-${name}`);
    expect(log.lines).toEqual([
      expect.stringContaining(`${at("latin1")} wrote 'ssid=caf\ufffd' with bytes that are not UTF-8`),
      expect.stringContaining(`${at("latin1")} wrote 'z=\ufffd1' with a NUL character`),
      expect.stringContaining(`${at("nameless")} wrote '=2', which is not key=value`),
      expect.stringMatching(`${at("long")}: the attribute 'n{60}…' is left out: its name has 1025 characters, .* 1024`),
      expect.stringMatching(`${at("long")}: the attribute 'é{60}…' is left out: its name has 1025 characters, .* 1024`),
    ]);
  });

  it("leaves out what is more than a server takes, by program and name", async () => {
    program("many/mender-inventory-many", "i=100; while [ $i -lt 205 ]; do echo a$i=1; i=$((i + 1)); done");
    program(
      "large/mender-inventory-large",
      "printf 'large='; head -c 600000 /dev/zero | tr '\\0' '\"'; echo; echo small=1",
    );
    const log = new KeptLog();
    const collect = (name: string, known: Record<string, string> = {}) =>
      collectInventory(system, { directories: [join(directory, name)], version: "9.9", known, log });
    const many = await collect("many", { artifact_name: "r1" });
    expect(many).toHaveLength(100);
    expect(many[0]).toEqual({ name: "a100", value: "1" });
    expect(many.at(-4)).toEqual({ name: "a196", value: "1" });
    expect(many.at(-3)).toEqual({ name: "artifact_name", value: "r1" });
    expect(log.lines).toHaveLength(8);
    expect(log.lines[0]).toContain(
      "many/mender-inventory-many: the attribute 'a197' is left out: a device may have 100",
    );
    expect(await collect("large")).toContainEqual({ name: "small", value: "1" });
    expect(log.lines.at(-1)).toMatch(
      /mender-inventory-large: the attribute 'large' is left out: .* over 1048576 bytes/,
    );
  });

  it("is what the agent knows where there are no programs, and fails where all of them fail", async () => {
    const options = { version: "1", known: {}, log: new KeptLog() };
    expect(await collectInventory(system, { ...options, directories: ["/no/inventory"] })).toHaveLength(2);
    program("all-fail/mender-inventory-x", "exit 1");
    await expect(
      collectInventory(system, { ...options, directories: [join(directory, "all-fail")] }),
    ).rejects.toMatchObject({
      code: "inventory-empty",
      retryable: true,
    });
  });
});
