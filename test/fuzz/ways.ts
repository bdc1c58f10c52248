import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArtifactError, openArtifact, type ReadOptions } from "@upkeep/shared/artifact";
import { createLogger } from "@upkeep/shared/logging";
import { harmfulCharacter } from "@upkeep/shared/text";
import { composeServer, DEFAULT_OPTIONS, openDomain, openFileBlobs } from "../../mock-server/index.ts";
import { openSystem } from "../../mock-server/system/index.ts";
import { artifactTool } from "../mock-server/cli/artifact-tool.ts";
import type { Input } from "./inputs.ts";

/** What became of an input: what an accepted artifact says, or why it was refused. */
export type Outcome = { readonly accepted: string } | { readonly refused: string };

export type Way = (input: Input) => Promise<Outcome>;

/** Something happened that must not: the message says what. */
export class Unexpected extends Error {
  override readonly name = "Unexpected";
}

const MESSAGE_CHARACTERS_MAX = 2000;

function plain(message: string): string {
  const harmful = harmfulCharacter(message);
  if (harmful !== undefined) throw new Unexpected(`the message has ${harmful} in it: ${JSON.stringify(message)}`);
  if (message === "" || message.length > MESSAGE_CHARACTERS_MAX || /\n|\bat .*:\d+:\d+|\[object/.test(message)) {
    throw new Unexpected(`this is no plain message: ${JSON.stringify(message.slice(0, 300))} (${message.length})`);
  }
  return message;
}

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readWith(bytes: Buffer, chunkBytes: number, options: ReadOptions): Promise<Outcome> {
  const digest = createHash("sha256");
  try {
    const { header, payloads } = await openArtifact(chunks(bytes, chunkBytes), options).then((reading) => ({
      header: reading.header,
      payloads: reading.payloads(),
    }));
    const { manifest, scripts, ...rest } = header;
    digest.update(JSON.stringify([rest, [...manifest], scripts.map(({ name }) => name)]));
    for (const { content } of scripts) digest.update(content);
    for await (const payload of payloads) {
      for await (const file of payload.files()) {
        digest.update(`${payload.index}/${file.name}`);
        for await (const piece of file.content) digest.update(piece);
      }
    }
    return { accepted: digest.digest("hex") };
  } catch (error) {
    if (error instanceof ArtifactError) return { refused: plain(error.message) };
    throw new Unexpected(`the reader threw ${error instanceof Error ? error.stack : String(error)}`);
  }
}

const AGAIN_CPU_MS_MAX = 100;

/** The reader: in large pieces and in small ones, with the same result. */
export function reader(options: ReadOptions = {}): Way {
  return async ({ bytes }) => {
    const before = process.cpuUsage();
    const first = await readWith(bytes, 64 * 1024, options);
    const { user, system } = process.cpuUsage(before);
    // The bound of time is one reading's.
    if ((user + system) / 1000 > AGAIN_CPU_MS_MAX) return first;
    const again = await readWith(bytes, 1000 + (bytes.length % 977), options);
    const same = "accepted" in first ? "accepted" in again && again.accepted === first.accepted : "refused" in again;
    if (!same) throw new Unexpected(`read twice with two results: ${JSON.stringify(first)}, ${JSON.stringify(again)}`);
    return first;
  };
}

const BOUNDARY = "----upkeep-fuzz";
const PATH = "/api/management/v1/deployments/artifacts";

/** The server's upload: the application, called without listening. */
async function upload(folder: string): Promise<{ way: Way; close(): Promise<void> }> {
  const system = openSystem();
  const domain = await openDomain({ system, storage: { directory: folder } });
  await domain.users.ensureAdministrator("fuzz@example.com", "a long password");
  const token = await domain.users.login("fuzz@example.com", "a long password");
  const blobs = join(folder, "artifacts");
  const server = await composeServer(system, {
    ...DEFAULT_OPTIONS,
    data: { domain, blobs: await openFileBlobs(system.files, blobs) },
    logger: createLogger({ level: "fatal", format: "json", write: () => undefined, now: system.clock.now }),
  });
  const { app } = server;
  const authorization = `Bearer ${token}`;
  const way: Way = async ({ bytes }) => {
    const payload = Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="artifact"\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
    ]);
    const headers = { authorization, "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
    const answer = await app.inject({ method: "POST", url: PATH, headers, payload });
    if (answer.statusCode === 201) {
      const url = String(answer.headers.location);
      const shown = await app.inject({ url, headers: { authorization } });
      if (shown.statusCode !== 200) throw new Unexpected(`what was uploaded is shown with ${shown.statusCode}`);
      const deleted = await app.inject({ method: "DELETE", url, headers: { authorization } });
      if (deleted.statusCode !== 204) throw new Unexpected(`what was uploaded is deleted with ${deleted.statusCode}`);
      return { accepted: "" };
    }
    if (answer.statusCode < 400 || answer.statusCode >= 500) {
      throw new Unexpected(`the upload was answered with ${answer.statusCode}: ${answer.body.slice(0, 500)}`);
    }
    const kept = readdirSync(blobs);
    if (kept.length > 0) throw new Unexpected(`a refused upload left ${kept.join(", ")} behind`);
    return { refused: plain(String(answer.json().error)) };
  };
  return {
    way,
    close: async () => {
      await server.close();
      await domain.close();
    },
  };
}

/** `upkeep-server artifact validate`. */
function validate(folder: string): Way {
  const path = join(folder, "input.mender");
  return async ({ bytes }) => {
    writeFileSync(path, bytes);
    const ended = await artifactTool(["validate", path]).catch((error: unknown) => {
      throw new Unexpected(`validate failed: ${error instanceof Error ? error.stack : String(error)}`);
    });
    const { out, error, status } = ended;
    if (status === 0) return { accepted: plain(out.trimEnd()) };
    if (status !== 4) throw new Unexpected(`validate ended with ${status}: ${error}`);
    return { refused: plain(error.trimEnd()) };
  };
}

export const WAYS = ["reader", "upload", "validate"] as const;
export type WayName = (typeof WAYS)[number];

/** All ways into the programs, with what they need. */
export async function openWays(
  options: ReadOptions,
): Promise<{ readonly ways: Readonly<Record<WayName, Way>>; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-fuzz-"));
  const server = await upload(folder);
  return {
    ways: { reader: reader(options), upload: server.way, validate: validate(folder) },
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
