import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { generate } from "selfsigned";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { createDevice, softwareOf, UPKEEP, upkeep } from "../cli/device.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import {
  type Answer,
  artifact,
  hangUp,
  inTurn,
  json,
  SupportServer,
  silence,
  status,
} from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";

/**
 * Every bad input that has a name, met by the agent as a process: what the error says, what is reported in
 * the end, and that the device runs what it ran before.
 */

const directory = temporaryDirectory();
const CONTENT = Buffer.alloc(200_000, "payload ");
const OURS = generateKeyPairSync("ec", { namedCurve: "P-256" });
const THEIRS = generateKeyPairSync("ec", { namedCurve: "P-256" });
const PUBLIC = OURS.publicKey.export({ type: "spki", format: "pem" }).toString();
const KEY_PATH = "/etc/mender/artifact.pem";

interface Plan {
  readonly type?: string;
  readonly deviceType?: string;
  readonly signingKey?: typeof OURS.privateKey;
  readonly content?: Uint8Array;
}

function write({ type = "copy", deviceType = "board", signingKey, content = CONTENT }: Plan = {}): Promise<Buffer> {
  const files = [sourceFile("software", content)];
  const plan = { kind: "module-image", artifactName: "r2", deviceTypes: [deviceType], compression: "none" } as const;
  return artifactBytes({ ...plan, type, files }, signingKey ? { signingKey } : {});
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf("payload payload ") + 100_000;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** An HTTPS server whose certificate begins to be valid in an hour. */
async function serveEarly(content: Buffer): Promise<{ url: string; certificate: string; server: Server }> {
  const notBeforeDate = new Date(Date.now() + 3600_000);
  const { private: key, cert } = await generate([{ name: "commonName", value: "127.0.0.1" }], { notBeforeDate });
  const server = createServer({ key, cert }, (_request, response) => response.end(content));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, certificate: cert, server };
}

interface Case {
  readonly config?: Readonly<Record<string, unknown>>;
  /** What the server sends for the artifact. */
  readonly answer: () => Promise<Answer>;
  /** What the deployment log that arrives says of the reason. */
  readonly says: RegExp;
  /** Before the final `failure`. */
  readonly reports?: readonly string[];
  /** The program to start instead of the agent's daemon. */
  readonly start?: (root: string) => Program;
  readonly needsRoot?: true;
}

const KEYED = { ArtifactVerifyKey: KEY_PATH };
const half = async (): Promise<Answer> => artifact(await write(), 100_000);

/** Each module that these devices have, beside `copy`. */
const MODULES: Readonly<Record<string, string>> = {
  sleeper: '#!/bin/sh\nif [ "$1" = ArtifactInstall ]; then sleep 600; fi\nexit 0\n',
};

const CASES: Readonly<Record<string, Case>> = {
  "a truncated artifact": {
    answer: async () => artifact((await write()).subarray(0, 100_000)),
    says: /Download: artifact: it ends too early \(within "data\/0000\.tar", \d+ bytes are missing\)/,
  },
  "a flipped byte in the payload": {
    answer: async () => artifact(flipped(await write())),
    says: /"data\/0000\/software": the SHA-256 is [0-9a-f]{64}, the manifest has [0-9a-f]{64}/,
  },
  "the wrong device type": {
    answer: async () => artifact(await write({ deviceType: "other" })),
    says: /is not for this device: device_type: the artifact needs "other", the device provides "board"/,
  },
  "an unsigned artifact where a key is configured": {
    config: KEYED,
    answer: async () => artifact(await write()),
    says: /the artifact is not signed, but only signed ones are to be trusted/,
  },
  "a signature by another key": {
    config: KEYED,
    answer: async () => artifact(await write({ signingKey: THEIRS.privateKey })),
    says: /manifest\.sig: the signature was not made by the key to be trusted/,
  },
  "an update module that is missing": {
    answer: async () => artifact(await write({ type: "absent" })),
    says: /there is no update module for payload type "absent" in .*; installed are: copy, .*sleeper/,
  },
  "an update module that hangs": {
    config: { ModuleTimeoutSeconds: 1 },
    answer: async () => artifact(await write({ type: "sleeper" })),
    says: /update module sleeper did not end within 1 s and was killed in ArtifactInstall/,
    reports: ["downloading", "installing"],
  },
  "a disk that is full while the payload is stored": {
    answer: async () => artifact(await write({ content: Buffer.alloc(3_000_000, "payload ") })),
    says: /no room to store payload file "software" of 3000000 bytes: \d+ bytes are free/,
    needsRoot: true,
    start: (root) => {
      // The data directory on a file system of 2 MB, in a mount namespace of the agent's own.
      const data = join(root, "var/lib/mender");
      const script =
        'mount -t tmpfs -o size=2m none "$1" && echo device_type=board > "$1/device_type" && shift && exec "$@"';
      const agent = [process.execPath, UPKEEP, "--root", root, "daemon"];
      return startProgram("unshare", ["--mount", "sh", "-c", script, "sh", data, ...agent]);
    },
  },
  "a server that answers 500": {
    answer: async () => status(500, '{"error": "internal error"}'),
    says: /given up after 2 tries in a row .* 500: internal error/,
  },
  "a server that answers 502 with HTML": {
    answer: async () => inTurn(await half(), status(502, "<html><h1>Bad Gateway</h1></html>")),
    says: /given up after 2 tries in a row .* at byte 100000 of \d+: .* 502: Bad Gateway/,
  },
  "a server that answers 401": {
    answer: async () => status(401),
    says: /downloading the artifact: .*401/,
  },
  "a server that answers 429 with Retry-After": {
    answer: async () => inTurn(await half(), status(429, "", { "retry-after": "1" })),
    says: /given up after 2 tries in a row .* 429/,
  },
  "a server that hangs": {
    answer: async () => inTurn(await half(), silence),
    says: /given up after 2 tries in a row .*took nothing for 1 s/,
  },
  "a server that breaks every connection": {
    answer: async () => hangUp,
    says: /given up after 2 tries in a row that brought nothing, at byte 0 of unknown/,
  },
  "another object when the download is resumed": {
    answer: async () => inTurn(await half(), artifact(await write({ content: Buffer.alloc(200_000, "another ") }))),
    says: /after 100000 bytes the server has another object under the same link: etag was/,
  },
};

let server: SupportServer;
let early: Server | undefined;
let program: Program | undefined;
let root: string;
let count = 0;

beforeEach(async () => {
  server = await SupportServer.start();
  root = join(directory, `bad-${++count}`);
});

afterEach(async () => {
  await program?.stop("SIGKILL");
  program = undefined;
  early?.closeAllConnections();
  early?.close();
  early = undefined;
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

function device(config: Readonly<Record<string, unknown>> = {}): void {
  createDevice(root, server.url, {
    ...{ RetryDownloadCount: 2, RetryPollIntervalSeconds: 1, ConnectionIdleSeconds: 1 },
    ...config,
  });
  writeFileSync(join(root, "software"), "before");
  writeFileSync(join(root, KEY_PATH), PUBLIC);
  for (const [name, script] of Object.entries(MODULES)) {
    writeFileSync(join(root, "usr/share/mender/modules/v3", name), script, { mode: 0o755 });
  }
}

function offer(uri: string): void {
  const instructions = { id: "d1", artifact: { artifact_name: "r2", source: { uri } } };
  server.on(DEVICE_PATHS.nextV2, inTurn(json(instructions), status(204)));
}

const startDaemon = (place: string): Program => startProgram(process.execPath, [UPKEEP, "--root", place, "daemon"]);

/** Wait for the end of deployment d1, and check it. */
async function expectFailure(says: RegExp, reports: readonly string[]): Promise<void> {
  const logs = () => server.seen(DEVICE_PATHS.log("d1"));
  await server.until(() => logs().length > 0);
  const reported = server.seen(DEVICE_PATHS.status("d1")).map(({ body }) => JSON.parse(body).status as string);
  expect(reported).toEqual([...reports, "failure"]);
  const { messages } = JSON.parse(logs()[0]?.body ?? "") as { messages: { level: string; message: string }[] };
  const errors = messages.filter(({ level }) => level === "error").map(({ message }) => message);
  expect(errors.join("\n")).toMatch(says);
  expect(softwareOf(root)).toBe("before");
}

describe("bad input, by name", () => {
  for (const [
    name,
    { config, answer, says, reports = ["downloading"], start = startDaemon, needsRoot },
  ] of Object.entries(CASES)) {
    it.skipIf(needsRoot && process.getuid?.() !== 0)(name, async () => {
      device(config);
      server.on("/r2.mender", await answer());
      offer(`${server.url}/r2.mender`);
      program = start(root);
      await expectFailure(says, reports);
      await program.stop();
      if (needsRoot === undefined) expect(upkeep(root, "show-artifact").stdout).not.toContain("r2\n");
    });
  }

  it("a clock before the certificate's start", async () => {
    const served = await serveEarly(await write());
    early = served.server;
    device({ ServerCertificate: "/etc/mender/server.pem" });
    writeFileSync(join(root, "etc/mender/server.pem"), served.certificate);
    offer(`${served.url}/r2.mender`);
    program = startDaemon(root);
    await expectFailure(/its certificate is not valid yet/, ["downloading"]);
  });

  it("a configuration that is not JSON: nothing is started, and nothing asked", async () => {
    device();
    writeFileSync(join(root, "etc/mender/mender.conf"), '{"ServerURL": "http://localhost",\n "SkipVerify" true}\n');
    program = startDaemon(root);
    expect(await program.ended).toBe(1);
    expect(program.output()).toMatch(/mender\.conf.*line 2.*/);
    expect(server.requests).toEqual([]);
    expect(softwareOf(root)).toBe("before");
  });

  it.each<[string, Answer, RegExp]>([
    ["500", status(500), /the poll failed: .*500/],
    ["502 with HTML", status(502, "<h1>Bad Gateway</h1>"), /the poll failed: .*502: Bad Gateway/],
    ["429 with Retry-After", status(429, "", { "retry-after": "1" }), /the poll failed: .*429/],
    ["nothing at all", silence, /the poll failed: .*took nothing for 1 s/],
    ["something that is no JSON", status(200, "{"), /the poll failed: .*JSON/],
  ])(
    "a server that answers a poll with %s: it is logged, and the next poll brings the update",
    async (_name, answer, says) => {
      device();
      server.on("/r2.mender", artifact(await write()));
      const instructions = { id: "d1", artifact: { source: { uri: `${server.url}/r2.mender` } } };
      server.on(DEVICE_PATHS.nextV2, inTurn(answer, json(instructions), status(204)));
      program = startDaemon(root);
      const reported = () =>
        server.seen(DEVICE_PATHS.status("d1")).map(({ body }) => JSON.parse(body).status as string);
      await server.until(() => reported().includes("success"));
      expect(program.output()).toMatch(says);
      expect(softwareOf(root)).toBe(CONTENT.toString());
    },
  );
});
