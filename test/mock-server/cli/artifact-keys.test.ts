import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixedLength } from "../../../mock-server/cli/artifact/pkcs11.ts";
import { createToken } from "../../agent/system/token.ts";
import { describePeer, peerPath } from "../../interop/peers.ts";
import { artifactTool } from "./artifact-tool.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-artifact-keys-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const OUT = "signed.mender";
const write = (...flags: string[]): string[] => [
  ...["write", "module-image", "-n", "r", "-c", "board", "-T", "app", "-o", at(OUT), "--json"],
  ...flags,
];

describe("an encrypted key", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const encryption = { cipher: "aes-256-cbc", passphrase: "secret", format: "pem" } as const;
  let key: string;

  beforeAll(() => {
    key = at("encrypted.pem");
    writeFileSync(key, privateKey.export({ type: "pkcs8", ...encryption }));
    writeFileSync(at("public.pem"), publicKey.export({ type: "spki", format: "pem" }));
    writeFileSync(at("passphrase"), "secret\n");
    writeFileSync(at("wrong"), "guess\n");
  });

  const verified = async (): Promise<string> =>
    JSON.parse((await artifactTool(["validate", "--json", "-k", at("public.pem"), at(OUT)])).out).signature;

  it("takes its passphrase from a file", async () => {
    expect(await artifactTool(write("-k", key, "--key-passphrase-file", at("passphrase")))).toMatchObject({
      status: 0,
    });
    expect(await verified()).toBe("verified");
  });

  it("takes it from the environment", async () => {
    expect(await artifactTool(write("-k", key), { keyPassphrase: "secret" })).toMatchObject({ status: 0 });
    expect(await verified()).toBe("verified");
  });

  it("asks for it at a terminal", async () => {
    const asked: string[] = [];
    const askPassphrase = async (question: string): Promise<string> => {
      asked.push(question);
      return "secret";
    };
    expect(await artifactTool(write("-k", key), { askPassphrase })).toMatchObject({ status: 0 });
    expect(asked).toEqual([`Passphrase of ${key}: `]);
    expect(await verified()).toBe("verified");
  });

  it.skipIf(!process.env.CI && peerPath("script") === undefined)(
    "asks for it at a real terminal, which does not show it",
    async () => {
      const program = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
      const command = [process.execPath, program, "artifact", ...write("-k", key)].join(" ");
      const { status, stdout } = spawnSync("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
        encoding: "utf8",
        input: "secret\n",
      });
      expect(status, stdout).toBe(0);
      expect(stdout).toContain(`Passphrase of ${key}: `);
      expect(await verified()).toBe("verified");
    },
  );

  it.each([
    ["where there is none", [], /its passphrase is needed; --key-passphrase-file FILE or the variable UPKEEP_KEY/],
    ["that is wrong", ["--key-passphrase-file", "wrong"], /encrypted, and this is not its passphrase/],
    ["of a file that is not there", ["--key-passphrase-file", "none"], /--key-passphrase-file .*no such file/],
  ])("says what is wrong with a passphrase %s", async (_, flags, message) => {
    rmSync(at(OUT), { force: true });
    const [flag, name] = flags;
    const ended = await artifactTool(write("-k", key, ...(flag === undefined ? [] : [flag, at(name ?? "")])));
    expect(ended).toMatchObject({ status: 1, error: expect.stringMatching(message) });
    expect(existsSync(at(OUT))).toBe(false);
  });
});

describe("a key that no Mender client verifies", () => {
  it.each([
    ["Ed25519", generateKeyPairSync("ed25519").privateKey],
    ["ECDSA P-384", generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey],
  ])("signs with --upkeep-only alone: %s", async (kind, privateKey) => {
    const key = at("foreign.pem");
    writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
    const refused = await artifactTool(write("-k", key));
    expect(refused).toMatchObject({ status: 1, error: expect.stringContaining(`no Mender client verifies ${kind}`) });
    expect(refused.error).toContain("--upkeep-only");
    expect(await artifactTool(write("-k", key, "--upkeep-only"))).toMatchObject({ status: 0 });
    const again = await artifactTool(["sign", "--force", "-k", key, at(OUT)]);
    expect(again).toMatchObject({ status: 1, error: expect.stringContaining(`no Mender client verifies ${kind}`) });
    expect(await artifactTool(["sign", "--force", "--upkeep-only", "-k", key, at(OUT)])).toMatchObject({ status: 0 });
  });
});

it("r and s of an ECDSA signature get their full length", () => {
  const of = (r: readonly number[], s: readonly number[]): Buffer =>
    Buffer.from([0x30, r.length + s.length + 4, 2, r.length, ...r, 2, s.length, ...s]);
  const full = Array.from({ length: 32 }, (_, index) => 0x80 + index);
  expect(fixedLength(of([0, ...full], [1, 2]), 32)).toEqual(
    Buffer.concat([Buffer.from(full), Buffer.alloc(30), Buffer.from([1, 2])]),
  );
});

describePeer(["openssl", "softhsm2-util", "pkcs11-tool"], "a key in a token", () => {
  let uri: (key: "rsa" | "ec") => string;

  beforeAll(() => {
    uri = createToken(folder).uri;
  });

  it.each(["rsa", "ec"] as const)("signs and verifies: %s", async (kind) => {
    const temporary = at("temporary");
    expect(await artifactTool(write("--key-pkcs11", uri(kind)), { temporaryDirectory: temporary })).toMatchObject({
      status: 0,
      error: "",
    });
    expect(readdirSync(temporary)).toEqual([]);
    const validate = ["validate", "--json", at(OUT), "--key-pkcs11"];
    expect(JSON.parse((await artifactTool([...validate, uri(kind)])).out).signature).toBe("verified");
    const other = await artifactTool([...validate, uri(kind === "rsa" ? "ec" : "rsa")]);
    expect(other).toMatchObject({ status: 4, error: expect.stringContaining("the signature was not made by") });
  });

  it("signs an artifact that is there, its PIN from elsewhere than the URI", async () => {
    expect(await artifactTool(write())).toMatchObject({ status: 0 });
    const bare = uri("ec").replace(/\?.*/, "");
    writeFileSync(at("pin-line"), "1234\n");
    const sign = ["sign", "--force", at(OUT), "--key-pkcs11", bare];
    expect(await artifactTool([...sign, "--key-passphrase-file", at("pin-line")])).toMatchObject({ status: 0 });
    expect(await artifactTool(sign, { askPassphrase: async () => "1234" })).toMatchObject({ status: 0 });
    expect(await artifactTool(["validate", at(OUT), "--key-pkcs11", uri("ec")])).toMatchObject({ status: 0 });
  });

  it.skipIf(!process.env.CI && peerPath("mender-artifact") === undefined)(
    "makes what mender-artifact verifies",
    async () => {
      const { execFileSync } = await import("node:child_process");
      for (const kind of ["rsa", "ec"] as const) {
        await artifactTool(write("--key-pkcs11", uri(kind)));
        const engine = ["pkey", "-engine", "pkcs11", "-inform", "engine", "-in", uri(kind), "-pubout"];
        writeFileSync(at("token.pub"), execFileSync("openssl", engine, { stdio: "pipe" }));
        const said = execFileSync("mender-artifact", ["validate", "-k", at("token.pub"), at(OUT)], {
          encoding: "utf8",
        });
        expect(said).toContain("validated successfully");
      }
    },
  );

  it.each([
    [
      "that is not in the token",
      "pkcs11:token=device;object=none?pin-value=1234",
      /--key-pkcs11: reading the public key/,
    ],
    ["that is no URI of PKCS#11", "slot 1", /"slot 1" is no URI that begins with pkcs11:/],
  ])("%s is refused without its PIN in the message", async (_, key, message) => {
    const { status, error } = await artifactTool(write("--key-pkcs11", key));
    expect(status).toBe(1);
    expect(error).toMatch(message);
    expect(error).not.toContain("1234");
  });

  it("is one key: --key beside it is refused", async () => {
    const ended = await artifactTool(write("--key-pkcs11", uri("ec"), "--key", at("public.pem")));
    expect(ended).toMatchObject({ status: 1, error: expect.stringContaining("--key and --key-pkcs11") });
  });
});
