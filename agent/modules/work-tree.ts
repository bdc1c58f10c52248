import type { ArtifactHeader, PayloadHeader } from "@upkeep/shared/artifact";
import { createDirectoryDurably, type Files } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

/** The facts of the device that a module finds in its work tree. */
export interface CurrentDevice {
  readonly artifactName: string | undefined;
  readonly artifactGroup: string | undefined;
  readonly deviceType: string;
}

/** Where all that belongs to the only payload lies, in the datastore: its work tree, and spare FIFOs. */
export function payloadPath(datastore: string): string {
  return `${datastore}/modules/v3/payloads/0000`;
}

/** Where the payload's work tree lies. */
export function workTreePath(datastore: string): string {
  return `${payloadPath(datastore)}/tree`;
}

const NOTHING: ReadonlySet<string> = new Set();

/** The tree takes about half of it: its files and directories, a block each. The rest is for what the module writes. */
const ROOM_BYTES = 128 * 1024;

/** Refuses an update before its payload is downloaded. */
async function demandRoom(files: Files, tree: string): Promise<void> {
  const bytes = await files.freeBytes(tree);
  if (bytes >= ROOM_BYTES) return;
  throw new AgentError(
    "disk-full",
    `no room for an update at ${tree}: it takes ${ROOM_BYTES} bytes, ${bytes} are free`,
  );
}

async function emptyTree(files: Files, tree: string, kept: ReadonlySet<string>): Promise<void> {
  if (kept.size === 0 || (await files.status(tree)) === undefined) return await files.remove(tree);
  for (const { name } of await files.list(tree)) if (!kept.has(name)) await files.remove(`${tree}/${name}`);
}

async function writeSynced(files: Files, path: string, content: string): Promise<void> {
  const handle = await files.open(path, "write", 0o600);
  try {
    await handle.write(new TextEncoder().encode(content));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function headerFiles(header: ArtifactHeader, payload: PayloadHeader): Record<string, string> {
  return {
    artifact_group: header.artifactGroup ?? "",
    artifact_name: header.artifactName,
    payload_type: payload.typeInfo.type ?? "",
    "header-info": header.headerInfoJson,
    "type-info": payload.typeInfoJson,
    // The reference client writes absent meta-data so.
    "meta-data": payload.metaDataJson ?? "null",
  };
}

/** The content of header-augment.tar, if the artifact has one. */
function augmentFiles(
  { augment }: ArtifactHeader,
  { index }: PayloadHeader,
): Readonly<Record<string, string | undefined>> | undefined {
  if (augment?.headerInfoJson === undefined) return undefined;
  const over = augment.payloads[index];
  return {
    "header-info": augment.headerInfoJson,
    payload_type: over?.type,
    "type-info": over?.typeInfoJson,
    "meta-data": over?.metaDataJson,
  };
}

/**
 * Create the work tree of the update modules protocol v3 anew, and make it durable.
 * @param kept Entries that are not replaced.
 * @throws AgentError `disk-full`.
 */
export async function createWorkTree(
  files: Files,
  tree: string,
  header: ArtifactHeader,
  payload: PayloadHeader,
  current: CurrentDevice,
  kept: ReadonlySet<string> = NOTHING,
): Promise<void> {
  await emptyTree(files, tree, kept);
  await createDirectoryDurably(files, tree, 0o700);
  await demandRoom(files, tree);
  await files.makeDirectory(`${tree}/header`, 0o700);
  await files.makeDirectory(`${tree}/tmp`, 0o700);
  const line = (value: string | undefined): string => (value ? `${value}\n` : "");
  await writeSynced(files, `${tree}/version`, "3\n");
  await writeSynced(files, `${tree}/current_artifact_name`, line(current.artifactName));
  await writeSynced(files, `${tree}/current_artifact_group`, line(current.artifactGroup));
  await writeSynced(files, `${tree}/current_device_type`, line(current.deviceType));
  for (const [name, content] of Object.entries(headerFiles(header, payload))) {
    await writeSynced(files, `${tree}/header/${name}`, content);
  }
  const augmented = augmentFiles(header, payload);
  if (augmented !== undefined) {
    await files.makeDirectory(`${tree}/header-augment`, 0o700);
    for (const [name, content] of Object.entries(augmented)) {
      if (content !== undefined) await writeSynced(files, `${tree}/header-augment/${name}`, content);
    }
    await files.syncDirectory(`${tree}/header-augment`);
  }
  for (const directory of [`${tree}/header`, `${tree}/tmp`, tree]) await files.syncDirectory(directory);
}
