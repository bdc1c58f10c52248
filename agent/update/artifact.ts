import type {
  ArtifactContent,
  ArtifactHeader,
  ArtifactReading,
  PayloadFile,
  PayloadHeader,
} from "@upkeep/shared/artifact";
import { describeMismatch, mismatches, type Provides } from "@upkeep/shared/compatibility";
import { given } from "@upkeep/shared/given";
import { providesSizeFault } from "@upkeep/shared/protocol";
import { LinkedController } from "@upkeep/shared/system";
import { committedProvides, deviceProvides, installedProvides } from "../device/provides.ts";
import { AgentError } from "../errors.ts";
import { findModule, interruptible } from "../modules/index.ts";
import type { ArtifactSource } from "../server/deployment-server.ts";
import { augmentedRefused, type EffectiveHeader, effectiveType, withAugmented } from "./augmented.ts";
import type { ArtifactRecord } from "./journal.ts";
import { type EngineOptions, moduleFor, type Run } from "./run.ts";
import type { DeviceStore } from "./store.ts";

/** An artifact that fits this device: everything in its header was checked. */
export interface OpenedArtifact {
  /** The signed headers. */
  readonly header: ArtifactHeader;
  readonly payload: PayloadHeader;
  /** The headers that apply: with the fields that the update module permits an augmented artifact to override. */
  readonly effective: EffectiveHeader;
  /** The files of its payload, to be read once. Ends without an error only when the whole artifact is verified. */
  readonly files: AsyncIterable<PayloadFile>;
  /** Bytes of the artifact received or skipped so far. */
  readonly receivedBytes: number;
  close(): Promise<void>;
}

/** The part of a run that opening an artifact needs. */
export type Opening = Pick<Run, "options" | "signal" | "logger">;

/**
 * Read an artifact up to its payload and check that it fits: signature (by the reader), number of payloads,
 * what is permitted to be augmented, device type and every other depends, and that there is an update module.
 * The source is closed if not.
 * @throws AgentError; the reader's errors; the signal's reason.
 */
export async function openFitting(opening: Opening, source: ArtifactSource): Promise<OpenedArtifact> {
  const { options, signal } = opening;
  let reading: ArtifactReading | undefined;
  const closing = new LinkedController(signal);
  const close = async (): Promise<void> => {
    // Ends a read that waits for bytes: closing would wait for it too.
    closing.abort(new AgentError("artifact-closed", "the artifact was closed while it was being read"));
    closing.release();
    await reading?.close();
    await source.close();
  };
  try {
    const counted = new Counted(source, options.onProgress);
    const content = interruptible(counted, closing.signal);
    const whole: ArtifactContent = { [Symbol.asyncIterator]: () => content, ...counted.skipping };
    reading = await options.openArtifact(whole, { verifyKeys: options.settings.verifyKeys, augmented: true });
    const { header } = reading;
    const payload = onlyPayload(header);
    const effective = await effectiveHeader(opening, header, payload);
    demandFit(effective.header, effective.payload, deviceProvides(options.store, await options.deviceType()));
    demandFitsPoll(options.store, recordOf({ effective }));
    const { type } = effective.payload.typeInfo;
    if (type !== null) await findModule(options.system.files, options.paths.modules, type);
    const files = filesOf(reading);
    return {
      header,
      payload,
      effective,
      files,
      close,
      get receivedBytes() {
        return counted.receivedBytes;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function effectiveHeader(
  opening: Opening,
  header: ArtifactHeader,
  payload: PayloadHeader,
): Promise<EffectiveHeader> {
  const { augment } = header;
  const type = effectiveType(header, payload);
  if (augment === undefined) return { header, payload };
  if (type === null) throw augmentedRefused(header, "its payload is empty, and no update module could permit them");
  return await withAugmented({ header, payload }, augment, await moduleFor(opening, type));
}

/** The artifact's facts for the journal. */
export function recordOf({ effective: { header, payload } }: Pick<OpenedArtifact, "effective">): ArtifactRecord {
  return {
    name: header.artifactName,
    group: header.artifactGroup ?? null,
    payloadType: payload.typeInfo.type,
    provides: payload.typeInfo.provides === undefined ? null : { ...payload.typeInfo.provides },
    clears: payload.typeInfo.clearsProvides === undefined ? null : [...payload.typeInfo.clearsProvides],
  };
}

/** The bytes of a source, counted for the progress. */
class Counted implements AsyncIterable<Uint8Array> {
  readonly #source: ArtifactSource;
  readonly #onProgress: EngineOptions["onProgress"];
  receivedBytes = 0;

  constructor(source: ArtifactSource, onProgress: EngineOptions["onProgress"]) {
    this.#source = source;
    this.#onProgress = onProgress;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source.content) {
      this.#count(chunk.length);
      yield chunk;
    }
  }

  /** The source's `skip`, if it has one. */
  get skipping(): Pick<ArtifactContent, "skip"> {
    const { content } = this.#source;
    if (content.skip === undefined) return {};
    return {
      skip: async (bytes) => {
        await content.skip?.(bytes);
        this.#count(bytes);
      },
    };
  }

  #count(bytes: number): void {
    this.receivedBytes += bytes;
    const { receivedBytes } = this;
    this.#onProgress?.({ kind: "bytes", receivedBytes, totalBytes: this.#source.sizeBytes });
  }
}

function onlyPayload(header: ArtifactHeader): PayloadHeader {
  const [payload, ...others] = header.payloads;
  if (payload !== undefined && others.length === 0) return payload;
  throw new AgentError(
    "payloads-not-one",
    `artifact ${JSON.stringify(header.artifactName)} has ${header.payloads.length} payloads; exactly one is supported`,
  );
}

/**
 * Check an artifact's depends against the device's provides.
 * @throws AgentError `device-type-mismatch` or `depends-mismatch`.
 */
export function demandFit(header: ArtifactHeader, payload: PayloadHeader, provides: Provides): void {
  const [wrongType] = mismatches({ device_type: header.deviceTypes }, provides);
  if (wrongType !== undefined) {
    throw new AgentError(
      "device-type-mismatch",
      `artifact ${JSON.stringify(header.artifactName)} is not for this device: ${describeMismatch(wrongType)}`,
    );
  }
  const unmet = mismatches(
    {
      ...given({ artifact_name: header.dependsArtifactNames, artifact_group: header.dependsArtifactGroups }),
      ...payload.typeInfo.depends,
    },
    provides,
  );
  if (unmet.length === 0) return;
  throw new AgentError(
    "depends-mismatch",
    `artifact ${JSON.stringify(header.artifactName)} does not fit what is installed: ${unmet.map(describeMismatch).join("; ")}`,
  );
}

/**
 * Refuse an artifact whose provides would not fit into a poll: the device could never poll again.
 * @throws AgentError `provides-too-large`
 */
function demandFitsPoll(store: Pick<DeviceStore, "provides">, artifact: ArtifactRecord): void {
  const fault = providesSizeFault(committedProvides(installedProvides(store), artifact));
  if (fault === undefined) return;
  throw new AgentError(
    "provides-too-large",
    `artifact ${JSON.stringify(artifact.name)} cannot be installed: what the device would provide then ${fault}`,
  );
}

async function* filesOf(reading: ArtifactReading): AsyncGenerator<PayloadFile> {
  for await (const payload of reading.payloads()) yield* payload.files();
}
