import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { collectText, type TlsOptions } from "@upkeep/shared/system";
import { generate } from "selfsigned";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { linuxNetwork as network } from "../../../agent/system/network.ts";
import { temporaryDirectory } from "./directory.ts";
import { createToken } from "./token.ts";

const directory = temporaryDirectory();
const servers: Server[] = [];
let server: { private: string; cert: string };
let device: { private: string; cert: string };

beforeAll(async () => {
  const extensions = [{ name: "subjectAltName" as const, altNames: [{ type: 7 as const, ip: "127.0.0.1" }] }];
  server = await generate([{ name: "commonName", value: "server" }], { extensions });
  device = await generate([{ name: "commonName", value: "device" }], {});
});

afterEach(() => {
  for (const running of servers.splice(0)) {
    running.closeAllConnections();
    running.close();
  }
});

/** Answers with the name in the certificate that the client shows. */
async function serve(options: ServerOptions = {}): Promise<string> {
  const running = createServer({ key: server.private, cert: server.cert, ...options }, (request, response) => {
    response.end(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN));
  });
  servers.push(running);
  running.listen(0, "127.0.0.1");
  await once(running, "listening");
  return `https://127.0.0.1:${(running.address() as AddressInfo).port}/`;
}

async function get(url: string, tls: TlsOptions = {}): Promise<string> {
  const trusted = { trusted: server.cert, ...tls };
  const answer = await network.request({ method: "GET", url, idleTimeoutMs: 20_000, tls: trusted });
  return await collectText(answer.body, 1000);
}

describe("TLS of the real door", () => {
  it("speaks 1.2 and 1.3, and nothing older", async () => {
    expect(await get(await serve({ maxVersion: "TLSv1.2" }))).toBe("undefined");
    expect(await get(await serve({ minVersion: "TLSv1.3" }))).toBe("undefined");
    const old = await serve({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" });
    await expect(get(old)).rejects.toMatchObject({ name: "SystemError" });
  });

  it("shows the device's certificate to a server that asks for it", async () => {
    const url = await serve({ requestCert: true, ca: device.cert });
    expect(await get(url, { certificate: device.cert, key: device.private })).toBe("device");
    await expect(get(url)).rejects.toMatchObject({ name: "SystemError" });
  });

  it("uses a key in hardware through an engine of OpenSSL", async () => {
    const uri = createToken(directory).uri("ec");
    const path = join(directory, "device.crt");
    const request = ["req", "-new", "-x509", "-engine", "pkcs11", "-keyform", "engine", "-key", uri, "-days", "2"];
    execFileSync("openssl", [...request, "-subj", "/CN=in-hardware", "-out", path], { stdio: "pipe" });
    const certificate = readFileSync(path, "utf8");
    const url = await serve({ requestCert: true, ca: certificate });
    expect(await get(url, { certificate, keyInEngine: { engine: "pkcs11", id: uri } })).toBe("in-hardware");
  });

  it("refuses an engine that there is not, saying so", async () => {
    const tls = { certificate: device.cert, keyInEngine: { engine: "no-such", id: "pkcs11:object=key" } };
    await expect(get(await serve(), tls)).rejects.toMatchObject({
      code: "EENGINE",
      message: expect.stringMatching(/^Node v[\d.]+ cannot use the key through 'no-such'/),
    });
  });
});
