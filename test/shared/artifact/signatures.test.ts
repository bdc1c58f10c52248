import { createPrivateKey, generateKeyPairSync, type KeyPairKeyObjectResult, sign } from "node:crypto";
import {
  AlreadySignedError,
  type ArtifactPlan,
  type ArtifactSigner,
  isEncryptedKey,
  loadSigningKey,
  signArtifact,
  writeArtifact,
} from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import { artifactOf, chunked, MemorySink, readBack, refusal, sourceFile } from "./support.ts";

const pems = ({ publicKey, privateKey }: KeyPairKeyObjectResult) => ({
  publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
});

const KEYS = {
  "RSA 2048": pems(generateKeyPairSync("rsa", { modulusLength: 2048 })),
  "ECDSA P-256": pems(generateKeyPairSync("ec", { namedCurve: "P-256" })),
  "ECDSA P-384": pems(generateKeyPairSync("ec", { namedCurve: "P-384" })),
  Ed25519: pems(generateKeyPairSync("ed25519")),
};
const stranger = pems(generateKeyPairSync("ed25519")).publicKey;

const plan: ArtifactPlan = {
  kind: "module-image",
  type: "app",
  artifactName: "release-1",
  deviceTypes: ["board"],
  files: [sourceFile("text", "line\n".repeat(1000))],
};

async function written(key?: string): Promise<Buffer> {
  const sink = new MemorySink();
  await writeArtifact(plan, sink, key === undefined ? {} : { signingKey: loadSigningKey(key, { upkeepOnly: true }) });
  return sink.content;
}

async function signed(artifact: Uint8Array, key: string, force = false): Promise<Buffer> {
  const sink = new MemorySink();
  expect(await signArtifact(chunked(artifact, 700), sink, loadSigningKey(key, { upkeepOnly: true }), { force })).toBe(
    sink.content.length,
  );
  return sink.content;
}

describe.each(Object.keys(KEYS) as (keyof typeof KEYS)[])("a signature with %s", (kind) => {
  const { publicKey, privateKey } = KEYS[kind];

  it("is verified by its key, wherever that is among the keys", async () => {
    const artifact = await written(privateKey);
    expect((await readBack(chunked(artifact))).header.signature).toEqual({ state: "unchecked" });
    for (const [verifyKeys, key] of [
      [[publicKey], 0],
      [[stranger, publicKey], 1],
    ] as const) {
      expect((await readBack(chunked(artifact), { verifyKeys })).header.signature).toEqual({ state: "verified", key });
    }
  });

  it("is refused by other keys, before the payload", async () => {
    const others = Object.entries(KEYS).flatMap(([name, pair]) => (name === kind ? [] : [pair.publicKey]));
    const artifact = await written(privateKey);
    expect(await refusal(artifact, { verifyKeys: [...others, stranger] })).toEqual({
      at: "header",
      code: "signature-mismatch",
      message: expect.stringContaining("any of the 4 keys"),
    });
    expect(await refusal(artifact, { verifyKeys: [stranger] })).toMatchObject({ code: "signature-mismatch" });
  });

  it("does not fit another manifest", async () => {
    const artifact = await written(privateKey);
    const text = artifact.toString("latin1");
    const checksum = text.indexOf("data/0000/text") - 66;
    artifact.write(text[checksum] === "0" ? "1" : "0", checksum, "latin1");
    expect(await refusal(artifact, { verifyKeys: [publicKey] })).toMatchObject({
      at: "header",
      code: "signature-mismatch",
    });
  });

  it("can be put on an artifact later, which changes nothing else", async () => {
    const unsigned = await written();
    const later = await signed(unsigned, privateKey);
    const before = await readBack(chunked(unsigned));
    const after = await readBack(chunked(later), { verifyKeys: [publicKey] });
    expect(after.header).toEqual({ ...before.header, signature: { state: "verified", key: 0 } });
    expect(after.files).toEqual(before.files);
    // ECDSA takes a random number each time; the others sign the same bytes the same way.
    if (!kind.startsWith("ECDSA")) expect(later.equals(await written(privateKey))).toBe(true);
    expect(later.length).toBe(unsigned.length + 1024);
  });
});

describe("signing", () => {
  const { publicKey, privateKey } = KEYS.Ed25519;

  it("leaves an artifact that is signed as it is, unless it is told to", async () => {
    const once = await written(KEYS["RSA 2048"].privateKey);
    await expect(signed(once, privateKey)).rejects.toBeInstanceOf(AlreadySignedError);
    const again = await signed(once, privateKey, true);
    expect(again.equals(await written(privateKey))).toBe(true);
    expect((await readBack(chunked(again), { verifyKeys: [publicKey] })).header.signature.state).toBe("verified");
  });

  it("refuses an artifact that is damaged", async () => {
    const damaged = await artifactOf((parts) => {
      parts.manifest.set("data/0000/hello.txt", "0".repeat(64));
    });
    await expect(signed(damaged, privateKey)).rejects.toMatchObject({ code: "checksum-mismatch" });
  });

  it.each([
    ["no PEM", "hello", /the signing key is no private key in PEM/],
    ["a public key", KEYS.Ed25519.publicKey, /the signing key is no private key in PEM/],
    ["an X25519 key", pems(generateKeyPairSync("x25519")).privateKey, /type x25519 are not supported/],
    [
      "a key on another curve",
      pems(generateKeyPairSync("ec", { namedCurve: "P-521" })).privateKey,
      /curve secp521r1 is not supported/,
    ],
  ])("refuses %s", (_, pem, message) => {
    expect(() => loadSigningKey(pem)).toThrow(message);
  });
});

describe("a key that no Mender client verifies", () => {
  it.each(["ECDSA P-384", "Ed25519"] as const)("is refused unless only Upkeep shall verify: %s", (kind) => {
    const { privateKey } = KEYS[kind];
    expect(() => loadSigningKey(privateKey)).toThrow(new RegExp(`no Mender client verifies ${kind}`));
    expect(loadSigningKey(privateKey, { upkeepOnly: true }).type).toBe("private");
  });
});

describe("an encrypted key", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const encryption = { cipher: "aes-256-cbc", passphrase: "secret", format: "pem" } as const;

  it.each(["pkcs1", "pkcs8"] as const)("of the form %s needs its passphrase", (type) => {
    const pem = privateKey.export({ type, ...encryption }).toString();
    expect(isEncryptedKey(pem)).toBe(true);
    expect(loadSigningKey(pem, { passphrase: "secret" }).equals(privateKey)).toBe(true);
    expect(() => loadSigningKey(pem)).toThrow(/encrypted: its passphrase is needed/);
    expect(() => loadSigningKey(pem, { passphrase: "other" })).toThrow(/encrypted, and this is not its passphrase/);
  });
});

describe("a signer outside of the program", () => {
  const { publicKey, privateKey } = KEYS["RSA 2048"];
  const signer: ArtifactSigner = { sign: async (manifest) => sign("sha256", manifest, privateKey) };

  it("signs while an artifact is written, and later", async () => {
    const sink = new MemorySink();
    await writeArtifact(plan, sink, { signingKey: signer });
    expect(sink.content.equals(await written(privateKey))).toBe(true);
    const later = new MemorySink();
    await signArtifact(chunked(await written()), later, signer);
    expect((await readBack(chunked(later.content), { verifyKeys: [publicKey] })).header.signature.state).toBe(
      "verified",
    );
  });
});

describe("verifying", () => {
  it("refuses an artifact without a signature where there are keys", async () => {
    expect(await refusal(await written(), { verifyKeys: [stranger] })).toEqual({
      at: "header",
      code: "signature-missing",
      message: expect.stringContaining("not signed"),
    });
  });

  it.each(["not base64!", "", "abc", "QUJD====", "QUJD\0"])("refuses a signature that is %j", async (signature) => {
    const artifact = await artifactOf((parts) => {
      parts.signature = signature;
    });
    expect(await refusal(artifact)).toMatchObject({ at: "header", code: "signature-malformed" });
    expect(await refusal(artifact, { verifyKeys: [stranger] })).toMatchObject({
      at: "header",
      code: "signature-malformed",
    });
  });

  it("refuses an endless signature", async () => {
    const artifact = await artifactOf((parts) => {
      parts.signature = "QUJD".repeat(3000);
    });
    expect(await refusal(artifact)).toMatchObject({ at: "header", code: "too-large" });
  });

  it("names the key that is none", async () => {
    const keys = [stranger, "rubbish"];
    expect(await refusal(await written(), { verifyKeys: keys })).toMatchObject({
      code: "key-unusable",
      message: expect.stringContaining("verification key 2"),
    });
  });

  it("accepts an ECDSA signature in DER, as openssl makes it", async () => {
    const { publicKey, privateKey } = KEYS["ECDSA P-256"];
    const unsigned = await written();
    const text = unsigned.subarray(1536, unsigned.indexOf(0, 1536));
    const signature = sign("sha256", text, { key: createPrivateKey(privateKey), dsaEncoding: "der" });
    const fixed = await written(privateKey);
    const at = fixed.indexOf("manifest.sig");
    const encoded = signature.toString("base64");
    fixed.fill(0, at + 512, at + 1024).write(encoded, at + 512);
    fixed.write(encoded.length.toString(8).padStart(11, "0"), at + 124);
    fixed.fill(" ", at + 148, at + 156);
    const sum = fixed.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    fixed.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148);
    expect((await readBack(chunked(fixed), { verifyKeys: [publicKey] })).header.signature.state).toBe("verified");
  });
});
