import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import { createLogger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { onTestFinished } from "vitest";
import type { ComposedServer, ServerSettings } from "../../../mock-server/compose.ts";
import {
  composeServer,
  DEFAULT_OPTIONS,
  type Domain,
  type DomainOptions,
  openDomain,
  openFileBlobs,
  type ServerOptions,
} from "../../../mock-server/index.ts";
import { DATABASE_FILE } from "../../../mock-server/storage/index.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { MemorySink, sourceFile } from "../../shared/artifact/support.ts";
import { QUICK_PASSWORDS, TestDevice, TestSystem } from "../domain-fixture.ts";

export const PASSWORD = "a long password";
export const DEVICE_API = "/api/devices/v1/deployments/device/deployments";
export const DEPLOYMENTS = "/api/management/v1/deployments";

interface Call {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string;
}

export interface MadeArtifact {
  readonly name?: string;
  readonly deviceType?: string;
  readonly content?: string | Uint8Array;
  readonly depends?: Readonly<Record<string, string>>;
}

/** What the records hold after the first start and a login, which are done once. */
interface FirstStart {
  readonly database: Buffer;
  readonly userToken: string;
}

let firstStart: Promise<FirstStart> | undefined;

async function makeFirstStart(): Promise<FirstStart> {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-first-start-"));
  const domain = await openDomain({ system: new TestSystem(), storage: { directory }, options: QUICK_PASSWORDS });
  await domain.users.ensureAdministrator("admin@example.com", PASSWORD);
  const userToken = await domain.users.login("admin@example.com", PASSWORD);
  await domain.close();
  const database = readFileSync(join(directory, DATABASE_FILE));
  rmSync(directory, { recursive: true });
  return { database, userToken };
}

/** The application with real records and real files, called without listening; its clock stands still. */
export class TestServer {
  readonly app: FastifyInstance;
  readonly domain: Domain;
  readonly system: TestSystem;
  readonly logLines: readonly string[];
  readonly #blobDirectory: string;
  readonly userToken: string;
  /** Resolves when no artifact waits for its index. */
  readonly indexed: () => Promise<void>;

  private constructor(
    server: ComposedServer,
    system: TestSystem,
    logLines: readonly string[],
    blobDirectory: string,
    userToken: string,
  ) {
    this.userToken = userToken;
    this.app = server.app;
    this.domain = server.domain;
    this.indexed = server.indexed;
    this.system = system;
    this.logLines = logLines;
    this.#blobDirectory = blobDirectory;
  }

  static async open(
    options: Partial<ServerOptions> & DomainOptions & Pick<ServerSettings, "adaptive"> = {},
    change: (system: System) => System = (system) => system,
  ): Promise<TestServer> {
    const folder = mkdtempSync(join(tmpdir(), "upkeep-api-"));
    firstStart ??= makeFirstStart();
    const { database, userToken } = await firstStart;
    writeFileSync(join(folder, DATABASE_FILE), database);
    const virtual = new TestSystem(1_000_000);
    const system = change({ ...openSystem(), clock: virtual.clock, random: virtual.random });
    const storage = { directory: folder };
    const domain = await openDomain({ system, storage, options: { ...QUICK_PASSWORDS, ...options } });
    const blobDirectory = join(folder, "artifacts");
    const logLines: string[] = [];
    const blobs = await openFileBlobs(system.files, blobDirectory);
    const server = await composeServer(system, {
      ...DEFAULT_OPTIONS,
      ...options,
      data: { domain, blobs },
      logger: createLogger({
        level: "debug",
        format: "json",
        write: (line) => logLines.push(line),
        now: system.clock.now,
      }),
    });
    onTestFinished(async () => {
      await server.close();
      await domain.close();
      rmSync(folder, { recursive: true });
    });
    return new TestServer(server, virtual, logLines, blobDirectory, userToken);
  }

  /** Names of everything in the blob store, finished or not. */
  blobFiles(): string[] {
    return readdirSync(this.#blobDirectory);
  }

  /** Every object in the blob store is so large from now on, and holds zeros at its end. */
  resizeBlobs(bytes: number): void {
    for (const name of this.blobFiles()) truncateSync(join(this.#blobDirectory, name), bytes);
  }

  async call(url: string, { method = "GET", body, headers, token }: Call = {}): Promise<LightMyRequestResponse> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    return await this.app.inject({
      method,
      url,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined || raw ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: raw ? Buffer.from(body) : JSON.stringify(body) }),
    });
  }

  /** A call of the administrator. */
  manage(url: string, call: Call = {}): Promise<LightMyRequestResponse> {
    return this.call(url, { token: this.userToken, ...call });
  }

  /** A device that was let in. Needs `autoAccept`. */
  async device(mac: string): Promise<{ readonly id: string; readonly token: string }> {
    const token = await this.domain.authentication.authorize(new TestDevice(JSON.stringify({ mac })).request());
    return { id: (await this.domain.authentication.verify(token)).deviceId, token };
  }

  upload(content: Uint8Array, fields: Readonly<Record<string, string>> = {}): Promise<LightMyRequestResponse> {
    return this.manage(`${DEPLOYMENTS}/artifacts`, {
      method: "POST",
      ...multipart([...Object.entries(fields), ["artifact", content]]),
    });
  }

  /** @returns The id of an artifact that was uploaded. */
  async uploaded(artifact: MadeArtifact = {}): Promise<string> {
    const answer = await this.upload(await makeArtifact(artifact));
    if (answer.statusCode !== 201) throw new Error(`not uploaded: ${answer.statusCode} ${answer.body}`);
    return String(answer.headers.location).split("/").at(-1) ?? "";
  }

  /** @returns The id of a deployment that was created. */
  async deployed(release: string, devices: readonly string[]): Promise<string> {
    const body = { name: `to ${release}`, artifact_name: release, devices };
    const answer = await this.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body });
    if (answer.statusCode !== 201) throw new Error(`not deployed: ${answer.statusCode} ${answer.body}`);
    return String(answer.headers.location).split("/").at(-1) ?? "";
  }
}

export async function makeArtifact(artifact: MadeArtifact = {}): Promise<Buffer> {
  const { name = "release-1", deviceType = "board", content = "hello\n", depends } = artifact;
  const sink = new MemorySink();
  await writeArtifact(
    {
      kind: "module-image",
      artifactName: name,
      compression: "none",
      deviceTypes: [deviceType],
      type: "single-file",
      files: [sourceFile("app.conf", content)],
      ...given({ depends }),
    },
    sink,
  );
  return sink.content;
}

const BOUNDARY = "----upkeep-test-boundary";

/** A multipart body with these parts in this order. */
export function multipart(
  parts: readonly (readonly [name: string, content: string | Uint8Array])[],
  { end = true }: { end?: boolean } = {},
): { readonly body: Buffer; readonly headers: { readonly "content-type": string } } {
  const pieces = parts.flatMap(([name, content]) => [
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    Buffer.from(content),
    Buffer.from("\r\n"),
  ]);
  if (end) pieces.push(Buffer.from(`--${BOUNDARY}--\r\n`));
  else pieces.pop();
  return { body: Buffer.concat(pieces), headers: { "content-type": `multipart/form-data; boundary=${BOUNDARY}` } };
}
