import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startProgram } from "../../support/program.ts";
import { SupportServer, status } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { createDevice, UPKEEP } from "./device.ts";

const directory = temporaryDirectory();
let server: SupportServer;
let root: string;
let count = 0;

beforeEach(async () => {
  server = await SupportServer.start();
  root = join(directory, String(++count));
  createDevice(root, server.url);
});

afterEach(() => server.stop());

/** The server answers from this process: the agent cannot be waited for synchronously. */
async function run(...args: string[]) {
  const program = startProgram(process.execPath, [UPKEEP, "--root", root, ...args]);
  return { code: await program.ended, output: program.output() };
}

const keyFile = (): string => join(root, "var/lib/mender/mender-agent.pem");
const key = (): string => readFileSync(keyFile(), "utf8");

describe("upkeep bootstrap", () => {
  it("makes the key and logs in once", async () => {
    expect(await run("bootstrap")).toEqual({ code: 0, output: `This device is accepted by ${server.url}.\n` });
    const [request] = server.seen(DEVICE_PATHS.authRequests);
    const { pubkey } = JSON.parse(request?.body ?? "");
    expect(createPublicKey(key()).export({ type: "spki", format: "pem" })).toBe(pubkey);
    expect(server.seen(DEVICE_PATHS.authRequests)).toHaveLength(1);
  });

  it("fails when the server does not let the device in, and says so", async () => {
    server.on(DEVICE_PATHS.authRequests, status(401));
    const { code, output } = await run("bootstrap");
    expect(code).toBe(1);
    expect(output).toContain("does not accept this device (yet)");
    await server.stop();
    expect((await run("bootstrap")).code).toBe(1);
  });

  it("makes a new key only when it is told to, and never one that the configuration names", async () => {
    await run("bootstrap");
    const first = key();
    await run("bootstrap");
    expect(key()).toBe(first);
    expect((await run("bootstrap", "--force")).output).toMatch(
      /^A new key was made, .*mender-agent\.pem: to the server/,
    );
    expect(key()).not.toBe(first);
    const own = join(root, "etc/mender/own.pem");
    writeFileSync(own, first);
    createDevice(root, server.url, { Security: { AuthPrivateKey: "/etc/mender/own.pem" } });
    const { code, output } = await run("bootstrap", "-F");
    expect(code).toBe(1);
    expect(output).toBe(`upkeep: the key ${own} is named by Security.AuthPrivateKey: it is never made anew\n`);
    expect(readFileSync(own, "utf8")).toBe(first);
  });

  it("opens an encrypted key with the passphrase of a file", async () => {
    const args = ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:sesame", "-out", keyFile()];
    execFileSync("openssl", args, { stdio: "pipe" });
    const without = await run("bootstrap");
    expect(without).toEqual({
      code: 1,
      output: `upkeep: ${keyFile()} is encrypted, and no passphrase was given (--passphrase-file); it is left as it is\n`,
    });
    const file = join(root, "passphrase");
    writeFileSync(file, "wrong\n");
    expect((await run("bootstrap", "--passphrase-file", file)).output).toContain(
      "not with the passphrase that was given",
    );
    writeFileSync(file, "sesame\nsecond line\n");
    expect((await run("bootstrap", "--passphrase-file", file)).code).toBe(0);
    const piped = startProgram("sh", [
      "-c",
      'echo sesame | "$0" "$@"',
      ...[process.execPath, UPKEEP, "--root", root, "bootstrap", "--passphrase-file", "-"],
    ]);
    expect(await piped.ended).toBe(0);
    expect((await run("bootstrap", "--passphrase-file", "/no/such/file")).output).toBe(
      "upkeep: --passphrase-file: /no/such/file does not exist\n",
    );
  });
});
