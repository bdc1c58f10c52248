import { type DeploymentInstructions, PLAIN_REASONS, type PlainReason } from "@upkeep/shared/protocol";
import type { AdaptiveSource } from "../adaptive/index.ts";
import { AgentError } from "../errors.ts";
import { type NamedSeed, payloadPath, STORED_IN, type StoredSoFar, workTreePath } from "../modules/index.ts";
import type { ArtifactSource } from "../server/deployment-server.ts";
import type { OpenedArtifact } from "./artifact.ts";
import { moduleFor, type Run, serverOf } from "./run.ts";

/** How an artifact arrives: whole, or adaptively. */
export interface Transport {
  readonly source: ArtifactSource;
  /** The same source, if it is adaptive. */
  readonly adaptive?: AdaptiveSource;
}

/**
 * Begin the download that instructions name: adaptively where that is offered.
 * @param reachedBytes How far an earlier download came, if most of that will be skipped.
 */
export async function startTransport(
  run: Run,
  instructions: DeploymentInstructions,
  reachedBytes: number | undefined,
): Promise<Transport> {
  const { options, signal, logger, plain } = run;
  const server = serverOf(run);
  const { adaptive: offer } = instructions.artifact;
  if (
    offer === undefined ||
    plain !== undefined ||
    server.ranges === undefined ||
    options.openAdaptively === undefined
  ) {
    return { source: await server.download(instructions, signal, reachedBytes) };
  }
  const openAdaptively = await options.openAdaptively();
  const ranges = await server.ranges(instructions, offer, signal);
  try {
    const { files } = options.system;
    const keptIndex = `${payloadPath(options.paths.datastore)}/adaptive-index`;
    const adaptive = await openAdaptively({ files, log: logger, offer, ranges, keptIndex });
    return { source: adaptive, adaptive };
  } catch (error) {
    ranges.close();
    noteTransfer(run, { needed: offer.artifact_size, reused: 0, fetched: ranges.fetchedBytes });
    throw error;
  }
}

/**
 * Let an adaptive download find what the device has, once the header of the artifact is known.
 * @param before The part of the payload that an earlier download stored.
 * @throws AgentError `adaptive-does-not-pay`
 */
export async function prepareTransport(
  run: Run,
  { adaptive }: Transport,
  artifact: OpenedArtifact,
  before: StoredSoFar | undefined,
): Promise<void> {
  if (adaptive === undefined) return;
  const { options, signal } = run;
  const tree = workTreePath(options.paths.datastore);
  const stored = before === undefined ? [] : [...STORED_IN].map((name) => `${tree}/${name}`);
  const elsewhere = [...stored, ...options.settings.adaptiveSeeds].map((path) => ({ path, isTarget: false }));
  const { type } = artifact.effective.payload.typeInfo;
  const named = type === null ? [] : await namedSeeds(run, type);
  const { manifest } = artifact.header;
  await adaptive.prepare({ named: [...elsewhere, ...named], payloadType: type ?? "", manifest }, signal);
}

/** What the update module names. Without seeds a download costs more, and nothing else. */
async function namedSeeds(run: Run, payloadType: string): Promise<readonly NamedSeed[]> {
  try {
    return await (await moduleFor(run, payloadType)).seeds();
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof AgentError)) throw error;
    run.logger.debug(`no seeds of the update module: ${error.message}`);
    return [];
  }
}

/**
 * Note what a download cost that has ended, well or not, for the reports to the server.
 * @param receivedBytes What came of the artifact, as its reader has it.
 */
export function endTransport(run: Run, { adaptive }: Transport, receivedBytes: number): void {
  const before = run.record.transfer;
  if (adaptive !== undefined) noteTransfer(run, adaptive.transfer);
  else if (before !== undefined) noteTransfer(run, { needed: before.needed, reused: 0, fetched: receivedBytes });
}

function noteTransfer(
  { record, plain }: Run,
  transfer: { readonly needed: number; readonly reused: number; readonly fetched: number },
): void {
  const fetched = (record.transfer?.fetched ?? 0) + transfer.fetched;
  record.transfer = { ...transfer, fetched, ...(plain === undefined ? {} : { plain }) };
}

/** The error of reading an artifact that was put together: if it is not one, whatever was wrong, the whole one may be. */
export function adaptiveFault(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "ArtifactError") return error;
  return new AgentError("adaptive-payload-wrong", `what was put together is not the artifact: ${error.message}`, {
    cause: error,
  });
}

/** Why the artifact is to be downloaded plainly after an error; `undefined` if that would not help. */
export function plainReasonOf(code: string): PlainReason | undefined {
  return PLAIN_REASONS.find((reason) => code === `adaptive-${reason}`);
}
