import { isSystemError, readChunks, type System } from "@upkeep/shared/system";
import { type Api, ApiError, headerOf, LacksOperation, Unreachable } from "./api.ts";
import { CtlError } from "./failure.ts";

const ARTIFACTS = "/api/management/v1/deployments/artifacts";
/** A server reads and checks the whole artifact before it answers. */
const IDLE_MS = 30 * 60_000;
/** Pauses before an upload that broke off is sent again. */
const PAUSES_MS = [1000, 2000, 4000, 8000, 15_000];
/** How often one looks whether the server has checked an artifact that it checks later. */
const LOOKS = 15;
const LOOK_EVERY_MS = 2000;

export interface ArtifactFile {
  /** Absolute. */
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
}

export interface UploadPorts {
  readonly system: System;
  readonly api: Api;
  /** @param sentBytes Of the artifact, from its beginning. */
  readonly onProgress: (sentBytes: number) => void;
  /** Told before something is sent again. */
  readonly onRetry: (reason: string) => void;
}

/** What became of an upload. */
export interface Uploaded {
  readonly id: string;
  /** False if the server has not said yet that it takes it. */
  readonly isChecked: boolean;
}

/**
 * Uploads an artifact: straight to the server's store if it hands out a link, else through the server.
 * @throws CtlError
 */
export async function upload(
  file: ArtifactFile,
  description: string | undefined,
  ports: UploadPorts,
): Promise<Uploaded> {
  // A description comes with the form alone.
  const direct = description === undefined ? await directUpload(file, ports) : undefined;
  if (direct !== undefined) return direct;
  const id = await sentAgain(ports, () => sendForm(file, description, ports));
  return { id, isChecked: true };
}

/** @returns `undefined` if the server hands out no links, or one that leads nowhere from here. */
async function directUpload(file: ArtifactFile, ports: UploadPorts): Promise<Uploaded | undefined> {
  const { api } = ports;
  const link = await uploadLink(api);
  if (link === undefined) return undefined;
  const { id, uri } = link;
  let isFirst = true;
  try {
    await sentAgain(ports, async () => {
      const answer = await api.send({
        method: "PUT",
        url: uri,
        headers: { ...link.header, "content-length": String(file.sizeBytes) },
        body: contentOf(file, ports),
        idleTimeoutMs: IDLE_MS,
      });
      isFirst = false;
      await api.checked(answer);
    });
  } catch (error) {
    if (isFirst && error instanceof Unreachable && isElsewhere(uri, api.server)) return undefined;
    throw error;
  }
  const path = `${ARTIFACTS}/directupload/{id}/complete` as const;
  const body = { size: file.sizeBytes };
  await sentAgain(ports, () => api.call("post", path, { params: { id }, body, idleTimeoutMs: IDLE_MS }));
  return { id, isChecked: await isThere(id, ports) };
}

async function uploadLink(api: Api) {
  try {
    return (await api.call("post", `${ARTIFACTS}/directupload`)).data;
  } catch (error) {
    // Others refuse it where their store cannot be reached from outside.
    if (error instanceof LacksOperation || (error instanceof ApiError && error.status >= 500)) return undefined;
    throw error;
  }
}

function isElsewhere(uri: string, server: string): boolean {
  return new URL(uri).host !== new URL(server).host;
}

/** Some servers check an artifact after they have answered. */
async function isThere(id: string, { api, system }: UploadPorts): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    try {
      await api.call("get", `${ARTIFACTS}/{id}`, { params: { id } });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A user who may only upload cannot look.
      if (error.status === 403) return true;
      if (error.status !== 404) throw error;
    }
    await system.timers.sleep(LOOK_EVERY_MS);
  }
  return false;
}

/** Tries again what broke off. @throws CtlError of the last try */
async function sentAgain<T>({ system, onRetry }: UploadPorts, send: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await send();
    } catch (error) {
      if (!mayWorkLater(error)) throw error;
      onRetry(error.message);
      await system.timers.sleep(pauseMs);
    }
  }
  return await send();
}

/** A server that has not noticed the end of the first connection says 409 of a link. */
function mayWorkLater(error: unknown): error is CtlError {
  if (error instanceof Unreachable) return !isPermanent(error);
  return (
    error instanceof ApiError && (error.status >= 502 || (error.status === 409 && /being uploaded/.test(error.message)))
  );
}

function isPermanent({ cause }: Unreachable): boolean {
  return isSystemError(cause) && ["ENOTFOUND", "ECONNREFUSED"].includes(cause.code);
}

/** The form of the first version of the API, which every server takes. */
async function sendForm(file: ArtifactFile, description: string | undefined, ports: UploadPorts): Promise<string> {
  const fields = { size: String(file.sizeBytes), ...(description === undefined ? {} : { description }) };
  return await sendFile(ARTIFACTS, fields, { field: "artifact", name: "artifact.mender", file }, ports);
}

/** Where the file of a generated artifact goes, and which devices the artifact is for. */
export interface SingleFilePlan {
  readonly release: string;
  /** Absolute directory on the device. */
  readonly directory: string;
  readonly deviceTypes: readonly string[];
}

/**
 * Uploads a file of which the server makes an artifact for the update module single-file.
 * @returns The id of the artifact.
 * @throws CtlError
 */
export async function uploadSingleFile(file: ArtifactFile, plan: SingleFilePlan, ports: UploadPorts): Promise<string> {
  const fields = {
    name: plan.release,
    type: "single_file",
    device_types_compatible: plan.deviceTypes.join(","),
    args: JSON.stringify({ dest_dir: plan.directory, filename: file.name }),
    size: String(file.sizeBytes),
  };
  return await sentAgain(ports, () =>
    sendFile(`${ARTIFACTS}/generate`, fields, { field: "file", name: "file", file }, ports),
  );
}

/** @returns The id of what was created. */
async function sendFile(
  path: string,
  fields: Readonly<Record<string, string>>,
  { field, name, file }: { readonly field: string; readonly name: string; readonly file: ArtifactFile },
  ports: UploadPorts,
): Promise<string> {
  const { api, system } = ports;
  const boundary = `upkeepctl-${system.random.uuid()}`;
  const texts = Object.entries(fields).map(
    ([key, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`,
  );
  // Servers read the fields before the file, as it arrives.
  const head = Buffer.from(
    `${texts.join("")}--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${name}"\r\n` +
      "Content-Type: application/octet-stream\r\n\r\n",
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* body(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* contentOf(file, ports);
    yield tail;
  }
  const answer = await api.send({
    method: "POST",
    url: api.urlOf(path),
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(head.length + file.sizeBytes + tail.length),
    },
    body: body(),
    idleTimeoutMs: IDLE_MS,
  });
  await api.checked(answer);
  return (headerOf(answer.headers, "location") ?? "").split("/").at(-1) ?? "";
}

async function* contentOf(
  { path, sizeBytes }: ArtifactFile,
  { system, onProgress }: UploadPorts,
): AsyncGenerator<Uint8Array> {
  const handle = await system.files.open(path, "read");
  try {
    let sentBytes = 0;
    onProgress(0);
    for await (const chunk of readChunks(handle)) {
      sentBytes += chunk.length;
      if (sentBytes > sizeBytes) break;
      // The reader fills its buffers again, and the network may hold several.
      yield Buffer.from(chunk);
      onProgress(sentBytes);
    }
    if (sentBytes !== sizeBytes) throw new CtlError(`${path} changed while it was uploaded`);
  } finally {
    await handle.close();
  }
}
