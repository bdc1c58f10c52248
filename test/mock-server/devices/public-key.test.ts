import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isSignedBy, parsePublicKey } from "../../../mock-server/devices/public-key.ts";
import { type KeyKind, TestDevice } from "../domain-fixture.ts";

const KINDS: readonly KeyKind[] = ["rsa", "ecdsa", "ed25519"];

describe.each(KINDS)("A key of kind %s", (kind) => {
  const device = new TestDevice("{}", kind);
  const bytes = Buffer.from('{"id_data":"{}" }');

  test("fits the bytes it signed, and no others", () => {
    const key = parsePublicKey(device.publicKey);
    const signature = device.sign(bytes);
    expect(isSignedBy(key, bytes, signature)).toBe(true);
    expect(isSignedBy(key, Buffer.from('{"id_data":"{}"}'), signature)).toBe(false);
    expect(isSignedBy(parsePublicKey(new TestDevice("{}", kind).publicKey), bytes, signature)).toBe(false);
  });

  test.each(["", "====", "not base64", "AAAA", "é"])("does not fit the signature %j", (signature) => {
    expect(isSignedBy(parsePublicKey(device.publicKey), bytes, signature)).toBe(false);
  });

  test("is the same key however its PEM is written", () => {
    const { pem } = parsePublicKey(device.publicKey);
    expect(parsePublicKey(`\n${device.publicKey.replaceAll("\n", "\r\n")}\n`).pem).toBe(pem);
    expect(parsePublicKey(device.publicKey.trimEnd()).pem).toBe(pem);
    expect(pem).toBe(createPublicKey(device.publicKey).export({ format: "pem", type: "spki" }));
  });
});

test.each(["P-224", "P-256", "P-384", "P-521"])("A key on the curve %s fits what it signed", (namedCurve) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  const bytes = Buffer.from("x");
  const key = parsePublicKey(publicKey.export({ format: "pem", type: "spki" }).toString());
  expect(isSignedBy(key, bytes, sign("sha256", bytes, privateKey).toString("base64"))).toBe(true);
});

test("An ECDSA signature of fixed length, as artifacts have it, does not fit an authorisation request", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const bytes = Buffer.from("x");
  const signature = sign("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64");
  const key = parsePublicKey(publicKey.export({ format: "pem", type: "spki" }).toString());
  expect(isSignedBy(key, bytes, signature)).toBe(false);
});

test("An RSA signature of another padding does not fit", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const bytes = Buffer.from("x");
  const signature = sign("sha256", bytes, { key: privateKey, padding: 6 }).toString("base64");
  const key = parsePublicKey(publicKey.export({ format: "pem", type: "spki" }).toString());
  expect(isSignedBy(key, bytes, signature)).toBe(false);
});

describe("Refused is", () => {
  const spki = { format: "pem", type: "spki" } as const;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

  test.each([
    ["a private key", rsa.privateKey.export({ format: "pem", type: "pkcs8" }).toString()],
    ["a key in the older RSA form", rsa.publicKey.export({ format: "pem", type: "pkcs1" }).toString()],
    ["a text that is no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
    ["nothing", ""],
    ["a key of another purpose", generateKeyPairSync("x25519").publicKey.export(spki).toString()],
    [
      "a curve that is not NIST's",
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export(spki).toString(),
    ],
    [
      "an RSA key that is too short",
      generateKeyPairSync("rsa", { modulusLength: 512 }).publicKey.export(spki).toString(),
    ],
    ["two keys", `${new TestDevice("{}").publicKey}${new TestDevice("{}").publicKey}`],
  ])("%s", (_, pem) => {
    expect(() => parsePublicKey(pem)).toThrow(
      expect.objectContaining({ kind: "invalid", code: "undecodable-public-key" }),
    );
  });
});
