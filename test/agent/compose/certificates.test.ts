import { createPrivateKey, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readVerifyKeys, tlsOptions } from "../../../agent/compose/pem.ts";
import { parseConfigFile } from "../../../agent/config/file.ts";
import { settingsFrom } from "../../../agent/config/settings.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const system = linuxSystem();
let log: KeptLog;
let one: { private: string; cert: string };
let two: { private: string; cert: string };

beforeAll(async () => {
  one = await generate([{ name: "commonName", value: "one" }], {});
  two = await generate([{ name: "commonName", value: "two" }], {});
});

beforeEach(() => {
  log = new KeptLog();
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const context = (config: Readonly<Record<string, unknown>>) => ({
  system,
  log,
  config: settingsFrom(parseConfigFile(JSON.stringify(config), "mender.conf").values),
});
const tls = (config: Readonly<Record<string, unknown>>) => tlsOptions(context(config));

/** The names in the certificates of a PEM text, as OpenSSL reads them one by one. */
function namesIn(pem: string | undefined): string[] {
  const texts = pem?.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return texts.map((text) => new X509Certificate(text).subject.replace("CN=", ""));
}

const derOf = (pem: string): Buffer => new X509Certificate(pem).raw;
const damaged = (pem: string): string => {
  const der = Buffer.from(derOf(pem));
  // The length of its first part.
  der[5] = 0x01;
  return `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
};

describe("ServerCertificate", () => {
  it.each<[string, () => string | Buffer, string[], RegExp | undefined]>([
    ["a bundle", () => one.cert + two.cert, ["one", "two"], undefined],
    ["one long line", () => one.cert.trim().replace(/\r?\n/g, ""), ["one"], undefined],
    ["DER", () => derOf(one.cert), ["one"], /is in DER format/],
    [
      "a bundle with a broken certificate before a good one",
      () => damaged(one.cert) + two.cert,
      ["two"],
      /certificate 1 of 2 is damaged .*; the other certificates of the file are trusted/,
    ],
    ["a bundle that is cut", () => (one.cert + two.cert).slice(0, -40), ["one"], /certificate 2 of 2 has no END line/],
  ])("may be %s: the good ones are used, and the others told", async (name, content, names, warning) => {
    const path = file(`${name}.pem`, content());
    const { trusted } = await tls({ ServerCertificate: path });
    expect(namesIn(trusted)).toEqual(names);
    expect(log.lines).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)]);
  });

  it.each<[string, () => string | Buffer, string]>([
    ["empty", () => "", "is empty"],
    ["cut in its only certificate", () => one.cert.slice(0, 300), "certificate 1 of 1 has no END line"],
    ["a key", () => one.private, "it holds no certificate in PEM format"],
    ["something else in DER", () => Buffer.from([0x30, 0x03, 0x02, 0x01, 0x01]), "it is no certificate in DER format"],
  ])("that is %s is told at start, and only the system's are trusted", async (name, content, why) => {
    const path = file(`${name}.pem`, content());
    expect(await tls({ ServerCertificate: path })).toEqual({});
    expect(log.lines).toEqual([expect.stringContaining(`ServerCertificate: ${path} `)]);
    expect(log.lines[0]).toContain(why);
    expect(log.lines[0]).toContain("only the system's certificates are trusted");
  });
});

describe("the device's certificate", () => {
  const config = (certificate: string, key: string, more: Readonly<Record<string, string>> = {}) => ({
    HttpsClient: { Certificate: certificate, Key: key, ...more },
  });
  const encrypted = (pem: string): string =>
    createPrivateKey(pem)
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "open sesame" })
      .toString();

  it("may have an encrypted key, whose passphrase is in a file", async () => {
    const path = file("encrypted.key", encrypted(one.private));
    const PassphraseFile = file("passphrase", "open sesame\nnot this\n");
    const { certificate, key } = await tls(config(file("one.crt", one.cert), path, { PassphraseFile }));
    expect(new X509Certificate(certificate ?? "").checkPrivateKey(createPrivateKey(key ?? ""))).toBe(true);
    expect(log.lines).toEqual([]);
  });

  it.each<[string, () => Readonly<Record<string, unknown>>, string, string]>([
    [
      "a missing certificate",
      () => config("/no/device.crt", file("one.key", one.private)),
      "config-unreadable",
      "HttpsClient.Certificate (the device's own certificate): /no/device.crt does not exist",
    ],
    [
      "a missing key",
      () => config(file("one.crt", one.cert), "/no/device.key"),
      "config-unreadable",
      "HttpsClient.Key (the key of the device's own certificate): /no/device.key does not exist",
    ],
    [
      "a damaged certificate",
      () => config(file("damaged.crt", damaged(one.cert)), file("one.key", one.private)),
      "client-certificate-unusable",
      "damaged.crt cannot be used: certificate 1 of 1 is damaged",
    ],
    [
      "an encrypted key without a passphrase",
      () => config(file("one.crt", one.cert), file("encrypted.key", encrypted(one.private))),
      "client-certificate-unusable",
      "encrypted.key is encrypted, and HttpsClient.PassphraseFile is not configured",
    ],
    [
      "an encrypted key with a wrong passphrase",
      () =>
        config(file("one.crt", one.cert), file("encrypted.key", encrypted(one.private)), {
          PassphraseFile: file("wrong", "guess\n"),
        }),
      "client-certificate-unusable",
      "encrypted.key is not encrypted with the passphrase in HttpsClient.PassphraseFile",
    ],
    [
      "a missing passphrase",
      () =>
        config(file("one.crt", one.cert), file("encrypted.key", encrypted(one.private)), {
          PassphraseFile: "/no/file",
        }),
      "passphrase-unreadable",
      "HttpsClient.PassphraseFile: /no/file does not exist",
    ],
    [
      "the key of another certificate",
      () => config(file("one.crt", one.cert), file("two.key", two.private)),
      "client-certificate-unusable",
      "two.key is not the key of the certificate",
    ],
  ])("is refused at start by the name of the key, not the server's: %s", async (_name, make, code, message) => {
    await expect(tls(make())).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it("that has expired is told at start", async () => {
    const past = new Date(Date.now() - 86_400_000);
    const attributes = [{ name: "commonName", value: "old" }];
    const old = await generate(attributes, {
      notBeforeDate: new Date(past.getTime() - 86_400_000),
      notAfterDate: past,
    });
    await tls(config(file("old.crt", old.cert), file("old.key", old.private)));
    expect(log.lines).toEqual([expect.stringMatching(/old\.crt expired at .*: servers that ask for it may refuse/)]);
  });

  it("has no passphrase without a key of its own", () => {
    expect(() => context({ HttpsClient: { PassphraseFile: "/p" } })).toThrow("but HttpsClient.Key is not");
    expect(() => context(config("/c", "pkcs11:object=k", { PassphraseFile: "/p" }))).toThrow("pin-source=file:");
  });
});

describe("ArtifactVerifyKey", () => {
  it("that is no public key is refused at start", async () => {
    const path = file("verify.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    await expect(readVerifyKeys(context({ ArtifactVerifyKey: path }))).rejects.toMatchObject({
      code: "config-unreadable",
      message: expect.stringContaining(`ArtifactVerifyKey: ${path} holds no public key in PEM format`),
    });
  });
});
