import { indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import { compressHere } from "../../mock-server/releases/adaptive/chunk-compression.ts";
import { BootLoader, Disk, rootImage } from "../../mock-server/scenarios/simulation/index.ts";
import { scriptOf, writeRelease } from "../../mock-server/scenarios/world/artifacts.ts";
import { SLOTS } from "../../mock-server/scenarios/world/factory.ts";
import { APP, CURRENT, EXTRA, EXTRA_NAME } from "./modules.ts";
import type { CampaignPath } from "./paths.ts";
import { Person } from "./person.ts";
import { type AdaptiveFiles, SERVER, ServerModel } from "./server-model.ts";

export const DATASTORE = "/data/upkeep";
export const MODULES = "/usr/share/mender/modules/v3";
export const OLD = "old";
export const NEW = "new";
export const NEWER = "newer";
const PAYLOAD_TYPE = "model";
const BLOCK_BYTES = 4096;
const PAYLOAD_BYTES = 700;
/** Several chunks, of which half are alike. */
const ADAPTIVE_PAYLOAD_BYTES = 20 * 1024;
const ALIKE = 0.5;
const CHUNK_AVERAGE_BYTES = 8192;
const SLOT_BYTES = 1024;
const ADAPTIVE_SLOT_BYTES = 24 * 1024;

/** What outlives a power cut: the device's disk, the server, the person, and time. */
export interface World {
  readonly path: CampaignPath;
  readonly prepared: Prepared;
  readonly disk: Disk;
  readonly server: ServerModel;
  readonly person: Person;
  readonly wallMs: number;
  /** Calls of the update module so far. */
  readonly moduleCalls: readonly string[];
}

/** What is made once for a path. */
export interface Prepared {
  readonly path: CampaignPath;
  /** In the order in which they are offered. */
  readonly artifacts: readonly Uint8Array[];
  readonly payloads: readonly Buffer[];
  /** What takes the place of the first one. */
  readonly replacement: Uint8Array | undefined;
  /** Beside each artifact: what an adaptive download of it needs. */
  readonly adaptive: readonly AdaptiveFiles[];
}

const START_MS = Date.UTC(2026, 0, 1);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What the file of a module that replaces a file holds. */
export function fileContent(software: string): string {
  return `${software}\n`.repeat(Math.ceil(PAYLOAD_BYTES / (software.length + 1)));
}

/** What the deployments of a path install, one after the other. */
export function softwareOf(path: CampaignPath): readonly string[] {
  return path.second ? [NEW, NEWER] : [NEW];
}

export async function prepare(path: CampaignPath): Promise<Prepared> {
  const made: { artifact: Uint8Array; payload: Buffer }[] = [];
  for (const software of softwareOf(path)) made.push(await prepareOne(path, software));
  const scripts = { ...path.scripts, ArtifactInstall_Enter_99_replaced: 0 };
  const replacement = path.replaced ? (await prepareOne({ ...path, scripts }, NEW)).artifact : undefined;
  const artifacts = made.map(({ artifact }) => artifact);
  const adaptive = path.adaptive ? await Promise.all(artifacts.map(adaptiveFilesOf)) : [];
  return { path, artifacts, payloads: made.map(({ payload }) => payload), replacement, adaptive };
}

async function adaptiveFilesOf(artifact: Uint8Array): Promise<AdaptiveFiles> {
  const chunks: Uint8Array[] = [];
  const compression = compressHere();
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield artifact;
  };
  const index = await indexArtifact(content(), CHUNK_AVERAGE_BYTES, {
    compress: compression.compress,
    write: async (stored) => void chunks.push(stored.slice()),
  });
  if (index === undefined) throw new Error("there is no index");
  return { index, chunks: Buffer.concat(chunks) };
}

/** The root file system of a software on this path. */
function imageOf({ adaptive, badImage }: CampaignPath, software: string): Uint8Array {
  const size = adaptive ? { sizeBytes: ADAPTIVE_PAYLOAD_BYTES, alike: ALIKE } : { sizeBytes: PAYLOAD_BYTES };
  return rootImage({ software, boots: badImage !== true || software === OLD, ...size });
}

/** What an interrupted write of the new image has left on a slot. */
function tornImageOf(path: CampaignPath): Uint8Array {
  const [before, after] = [imageOf(path, NEWER), imageOf(path, NEW)];
  const half = Math.floor(after.length * 0.7);
  return Buffer.concat([after.subarray(0, half), before.subarray(half)]);
}

async function prepareOne(path: CampaignPath, software: string) {
  const payload = Buffer.from(path.module.kind === "files" ? bytes(fileContent(software)) : imageOf(path, software));
  const type = path.module.kind === "rootfs-image" ? path.module.kind : PAYLOAD_TYPE;
  const artifact = await writeRelease(software, {
    deviceTypes: ["board"],
    compression: "none",
    type: path.empty ? null : type,
    files: { payload, ...(path.twoFiles ? { [EXTRA_NAME]: EXTRA } : {}) },
    scripts: Object.fromEntries(Object.entries(path.scripts).map(([name, code]) => [name, scriptOf(code)])),
  });
  if (path.corrupted) {
    const at = artifact.indexOf(Buffer.from((path.twoFiles ? EXTRA : payload).subarray(0, 100)));
    artifact[at + 300] = (artifact[at + 300] ?? 0) ^ 1;
  }
  return { artifact, payload };
}

function slotBytesOf({ adaptive }: CampaignPath): number {
  return adaptive ? ADAPTIVE_SLOT_BYTES : SLOT_BYTES;
}

export function bootLoaderOf(path: CampaignPath): BootLoader {
  return new BootLoader({ slots: SLOTS, slotBytes: slotBytesOf(path) });
}

function put(disk: Disk, path: string, content: Uint8Array, mode = 0o644): void {
  disk.makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o755);
  disk.write(disk.openForWriting(path, mode, true), 0, content, path);
}

const [[SLOT_A, PART_A] = [], [SLOT_B, PART_B] = []] = Object.entries(SLOTS);
const DEVICE_TYPE_FILE = "/etc/mender/device_type";

/** The agent's configuration. */
const CONFIG = {
  ServerURL: SERVER,
  UpdatePollIntervalSeconds: 1800,
  InventoryPollIntervalSeconds: 28_800,
  PollJitterPercent: 0,
  AnswerTimeoutSeconds: 600,
  ServerRetrySeconds: 60,
  // Outside the data directory, which is held against what a device may leave there.
  DeviceTypeFile: DEVICE_TYPE_FILE,
  RootfsPartA: PART_A,
  RootfsPartB: PART_B,
};

/** The slots as the kernel knows them; which one is mounted is written at each boot. */
function putKernelFacts(disk: Disk, slotBytes: number): void {
  for (const number of [SLOT_A, SLOT_B]) {
    const block = `/sys/class/block/slot-${number}`;
    put(disk, `${block}/dev`, bytes(`8:${number}\n`));
    put(disk, `${block}/size`, bytes(`${slotBytes / 512}\n`));
  }
}

/** A device fresh from the factory, and a server that has deployments for it, or a person who has an artifact. */
export function newWorld(prepared: Prepared): World {
  const disk = Disk.blank();
  disk.addMount({ path: "/run", volatile: true });
  disk.addMount({ path: "/proc", volatile: true });
  if (prepared.path.disk !== undefined)
    disk.addMount({ path: DATASTORE, blockBytes: BLOCK_BYTES, ...prepared.path.disk });
  const { path } = prepared;
  bootLoaderOf(path).install(disk, { 2: imageOf(path, OLD), ...(path.torn ? { 3: tornImageOf(path) } : {}) });
  for (const type of [PAYLOAD_TYPE, "rootfs-image"])
    put(disk, `${MODULES}/${type}`, bytes("#!/bin/model-module\n"), 0o755);
  put(disk, "/etc/mender/mender.conf", bytes(JSON.stringify(CONFIG)));
  put(disk, "/usr/share/mender/identity/mender-device-identity", bytes("#!/bin/identity\n"), 0o755);
  put(disk, DEVICE_TYPE_FILE, bytes("device_type=board\n"));
  if (prepared.path.module.kind === "rootfs-image") putKernelFacts(disk, slotBytesOf(path));
  put(disk, CURRENT, bytes(OLD));
  disk.makeDirectory(APP, 0o755);
  const provides = { artifact_name: OLD, "rootfs-image.version": OLD };
  put(disk, `${DATASTORE}/upkeep-store.json`, bytes(JSON.stringify({ version: 1, provides, update: null })));
  disk.syncAll();
  const { standalone, abortAtReport } = prepared.path;
  const offered = prepared.artifacts.map((artifact, index) => ({
    id: `deployment-${index + 1}`,
    artifact,
    adaptive: prepared.adaptive[index],
    ...(index > 0 || prepared.replacement === undefined ? {} : { replacement: prepared.replacement }),
    ...(abortAtReport === undefined || index > 0 ? {} : { abortAtReport }),
  }));
  return {
    path: prepared.path,
    prepared,
    disk,
    server: new ServerModel(standalone === undefined ? offered : []),
    person: new Person(standalone),
    wallMs: START_MS,
    moduleCalls: [],
  };
}
