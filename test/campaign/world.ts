import { writeArtifact } from "@upkeep/shared/artifact/write";
import { BootLoader, Disk, rootImage } from "../../mock-server/scenarios/simulation/index.ts";
import { APP, CURRENT, SLOTS } from "./modules.ts";
import type { CampaignPath } from "./paths.ts";
import { ServerModel } from "./server-model.ts";

export const DATASTORE = "/data/upkeep";
export const MODULES = "/usr/share/mender/modules/v3";
export const ROOTFS_SCRIPTS = "/etc/mender/scripts";
export const OLD = "old";
export const NEW = "new";
const PAYLOAD_TYPE = "model";
const PAYLOAD_BYTES = 700;

/** What outlives a power cut: the device's disk, the server, and time. */
export interface World {
  readonly path: CampaignPath;
  readonly prepared: Prepared;
  readonly disk: Disk;
  readonly server: ServerModel;
  readonly wallMs: number;
  /** Calls of the update module so far. */
  readonly moduleCalls: readonly string[];
}

/** What is made once for a path. */
export interface Prepared {
  readonly path: CampaignPath;
  readonly artifact: Uint8Array;
  readonly payload: Uint8Array;
}

const START_MS = Date.UTC(2026, 0, 1);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function fileOf(name: string, content: Uint8Array) {
  return {
    name,
    sizeBytes: content.length,
    read: async function* () {
      yield content;
    },
  };
}

async function written(
  write: (sink: { write(data: Uint8Array, position?: number): Promise<void> }) => Promise<unknown>,
) {
  let content = Buffer.alloc(0);
  await write({
    write: async (data, position) => {
      if (position === undefined) content = Buffer.concat([content, data]);
      else content.set(data, position);
    },
  });
  return content;
}

export async function prepare(path: CampaignPath): Promise<Prepared> {
  const payload =
    path.module.kind === "slots"
      ? rootImage({ software: NEW, boots: path.badImage !== true, sizeBytes: PAYLOAD_BYTES })
      : bytes(`${NEW}\n`.repeat(PAYLOAD_BYTES / 4));
  const common = {
    artifactName: NEW,
    deviceTypes: ["board"],
    compression: "none",
    clearsProvides: ["rootfs-image.*"],
  } as const;
  const scripts = Object.entries(path.scripts).map(([name, code]) => ({
    name,
    content: bytes(`#!/bin/script ${code}\n`),
  }));
  const artifact = await written((sink) =>
    path.empty
      ? writeArtifact({ kind: "bootstrap", ...common, provides: { "rootfs-image.version": NEW } }, sink)
      : writeArtifact(
          {
            kind: "module-image",
            ...common,
            type: PAYLOAD_TYPE,
            files: [fileOf("payload", payload)],
            scripts,
            provides: { "rootfs-image.version": NEW },
            noDefaultSoftwareVersion: true,
          },
          sink,
        ),
  );
  if (path.corrupted) {
    const at = artifact.indexOf(Buffer.from(payload.subarray(0, 100)));
    artifact[at + 300] = (artifact[at + 300] ?? 0) ^ 1;
  }
  return { path, artifact, payload };
}

export function bootLoaderOf(): BootLoader {
  return new BootLoader({ slots: SLOTS, slotBytes: 1024 });
}

function put(disk: Disk, path: string, content: Uint8Array, mode = 0o644): void {
  disk.makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o755);
  disk.write(disk.openForWriting(path, mode, true), 0, content, path);
}

/** A device fresh from the factory, and a server that has a deployment for it. */
export function newWorld(prepared: Prepared): World {
  const disk = Disk.blank();
  disk.addMount({ path: "/run", volatile: true });
  bootLoaderOf().install(disk, { 2: rootImage({ software: OLD, sizeBytes: PAYLOAD_BYTES }) });
  put(disk, `${MODULES}/${PAYLOAD_TYPE}`, bytes("#!/bin/model-module\n"), 0o755);
  put(disk, CURRENT, bytes(OLD));
  disk.makeDirectory(APP, 0o755);
  const provides = { artifact_name: OLD, "rootfs-image.version": OLD };
  put(disk, `${DATASTORE}/upkeep-store.json`, bytes(JSON.stringify({ version: 1, provides, update: null })));
  disk.syncAll();
  const { abortAtReport } = prepared.path;
  return {
    path: prepared.path,
    prepared,
    disk,
    server: new ServerModel({
      deployment: "deployment-1",
      artifact: prepared.artifact,
      ...(abortAtReport === undefined ? {} : { abortAtReport }),
    }),
    wallMs: START_MS,
    moduleCalls: [],
  };
}
