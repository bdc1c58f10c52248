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

/** An artifact that may be installed on this device: everything that its header tells was checked. */
export interface OpenedArtifact {
  /** As they are signed. */
  readonly header: ArtifactHeader;
  readonly payload: PayloadHeader;
  /** As they count: with what the update module permitted an augmented artifact to override. */
  readonly effective: EffectiveHeader;
  /** The files of its payload. Ends well only once the whole artifact is verified. Read it once. */
  readonly files: AsyncIterable<PayloadFile>;
  /** Bytes of the artifact that have come, or were left out, so far. */
  readonly receivedBytes: number;
  close(): Promise<void>;
}

/** What is needed to look at an artifact before it is known what will be done with it. */
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
    // Whoever still waits for bytes waits no longer: closing would have to wait for them too.
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
    demandTellable(options.store, recordOf({ effective }));
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

/** What the journal keeps of an artifact. */
export function recordOf({ effective: { header, payload } }: Pick<OpenedArtifact, "effective">): ArtifactRecord {
  return {
    name: header.artifactName,
    group: header.artifactGroup ?? null,
    payloadType: payload.typeInfo.type,
    provides: payload.typeInfo.provides === undefined ? null : { ...payload.typeInfo.provides },
    clears: payload.typeInfo.clearsProvides === undefined ? null : [...payload.typeInfo.clearsProvides],
  };
}

/** What comes from a source, counted for whoever watches. */
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

  /** The source's ability to leave something out, if it has that. */
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
 * Hold an artifact's depends against what the device provides.
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
 * Every poll tells all that the device provides: what came to more than a poll carries would end the polls for good.
 * @throws AgentError `provides-too-large`
 */
function demandTellable(store: Pick<DeviceStore, "provides">, artifact: ArtifactRecord): void {
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
