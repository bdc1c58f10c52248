import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import type { Clock, System, Timers } from "@upkeep/shared/system";
import type { FastifyInstance } from "fastify";
import { buildApplication, type ServerExtension } from "./api/application.ts";
import type { ServerOptions } from "./api/options.ts";
import type { Listener, Route } from "./api/route.ts";
import { type Domain, type DomainOptions, openDomain } from "./domain.ts";
import { openArtifactStore } from "./housekeeping/artifact-store.ts";
import { HearingWatch } from "./housekeeping/hearing-watch.ts";
import { Housekeeping, type RunRound } from "./housekeeping/housekeeping.ts";
import { Indexing, type IndexingParts } from "./housekeeping/indexing.ts";
import { sweep } from "./housekeeping/sweeping.ts";
import { DownloadLinks } from "./releases/links.ts";
import type { Blobs } from "./storage/blobs/index.ts";
import type { S3Location } from "./storage/blobs/s3/index.ts";
import { checkPermissions, DataDirectory, type StorageLocation, UnusableDataError } from "./storage/index.ts";
import { ConnectionCounts } from "./system/connection-counts.ts";
import { logConnectionEnds } from "./system/connection-log.ts";
import { NodeClock, NodeTimers } from "./system/time.ts";
import { NodeWorkers } from "./system/workers.ts";

/** Data that survive the server: records and artifacts in a data directory, or in what the operator names instead. */
export interface DurableData {
  readonly directory: string;
  /** PostgreSQL, as `postgres://…`. Absent: SQLite in the directory. */
  readonly database?: string;
  /** Absent: artifacts are files in the directory. */
  readonly bucket?: S3Location;
}

/** Data that the caller has opened, and closes after the server. */
export interface OpenedData {
  readonly domain: Domain;
  readonly blobs: Blobs;
}

export interface ServerSettings extends ServerOptions, DomainOptions {
  readonly data: DurableData | OpenedData;
  readonly logger: Logger;
  /** The machine's own time. Default: that of the system, which tests may move. */
  readonly machine?: { readonly clock: Clock; readonly timers: Timers };
  /** True while tests hold the clock of the system. Default: never. */
  readonly isClockHeld?: () => boolean;
  /** Adds routes, and may replace the store of the artifacts. */
  readonly extend?: (data: OpenedData) => Promise<{ readonly blobs: Blobs; readonly extension: ServerExtension }>;
  /** Pages for browsers. Default: none. */
  readonly pages?: readonly Route[];
  /** False: every poll takes the ordinary way through the API. Default: true. */
  readonly fastPath?: boolean;
  /** Indexes artifacts, and offers adaptive downloads. Default: all downloads are plain. */
  readonly adaptive?: Pick<IndexingParts, "compression" | "decompressors">;
  /** Runs each round of the housekeeping. `"off"`: there is none. Default: rounds run as they come. */
  readonly housekeeping?: RunRound | "off";
}

/** A server that does not listen yet. */
export interface ComposedServer {
  readonly domain: Domain;
  readonly app: FastifyInstance;
  /** Answers the requests of a listening socket. */
  readonly listener: Listener;
  /** For the socket that listens. */
  readonly connections: ConnectionCounts;
  /** Resolves when all artifacts are indexed that were inserted. */
  indexed(): Promise<void>;
  /** Ends answers that have no end of their own, such as streams of events. */
  endStreams(): void;
  /** Closes everything but what the caller has opened. Call it when no request is in flight. */
  close(): Promise<void>;
}

/**
 * Composes the server: records, artifacts, domain, API, housekeeping.
 * @throws DataDirectoryError, UnusableDataError
 */
export async function composeServer(system: System, settings: ServerSettings): Promise<ComposedServer> {
  const { logger, machine = system, fastPath, pages } = settings;
  const data = "domain" in settings.data ? callersData(settings.data) : await openData(system, settings, settings.data);
  try {
    const { domain } = data;
    const { blobs = data.blobs, extension } = (await settings.extend?.(data)) ?? {};
    const indexing = settings.adaptive && new Indexing({ system, domain, blobs, logger, ...settings.adaptive });
    await indexing?.forgetMissing();
    const ending = new AbortController();
    const connections = new ConnectionCounts();
    logConnectionEnds(connections, logger, system.clock);
    const app = await buildApplication({
      system,
      domain,
      blobs,
      links: new DownloadLinks(domain.linkSecret, () => system.clock.now()),
      options: settings,
      logger,
      ending: ending.signal,
      connections,
      ...given({ extension, freeBytes: data.freeBytes, fastPath, pages, indexing }),
    });
    const keepers = housekeepingOf(system, domain, blobs, machine, settings);
    indexing?.wake();
    return {
      domain,
      app,
      listener: app.listener,
      connections,
      indexed: () => indexing?.idle() ?? Promise.resolve(),
      endStreams: () => ending.abort(),
      close: async () => {
        ending.abort();
        for (const keeper of keepers) await keeper.stop();
        await indexing?.stop();
        await app.close();
        await data.close();
      },
    };
  } catch (error) {
    await data.close();
    throw error;
  }
}

interface UsedData extends OpenedData {
  readonly freeBytes: (() => Promise<number>) | undefined;
  close(): Promise<void>;
}

function callersData(data: OpenedData): UsedData {
  return { ...data, freeBytes: undefined, close: () => Promise.resolve() };
}

/** Locks the directory first: nothing is opened that another server uses. */
async function openData(system: System, settings: ServerSettings, data: DurableData): Promise<UsedData> {
  const { directory, database, bucket } = data;
  const { files } = system;
  const { logger } = settings;
  const held = await DataDirectory.open(files, directory, database === undefined ? "sqlite" : "postgres");
  let domain: Domain | undefined;
  try {
    await checkPermissions(files, directory, logger);
    domain = await openRecords(system, settings, data);
    const { artifacts, linkSecret } = domain;
    const artifactIds = async () => (await artifacts.list({}, { by: "name", order: "asc" })).items.map(({ id }) => id);
    await held.claim({ linkSecret, artifactIds });
    const where = { directory, ...given({ bucket }), shared: database !== undefined };
    const blobs = await openArtifactStore(system, where, domain, logger);
    const opened = domain;
    return {
      domain,
      blobs,
      freeBytes: () => files.freeBytes(directory),
      close: async () => {
        await opened.close();
        held.release();
      },
    };
  } catch (error) {
    await domain?.close();
    held.release();
    throw error;
  }
}

async function openRecords(
  system: System,
  { logger, autoAccept, deviceTokenLifeMs, userTokenLifeMs, downloadLinkLifeMs }: ServerSettings,
  { directory, database, bucket }: DurableData,
): Promise<Domain> {
  // Devices download straight from a bucket, so the server does not see whether they take bytes.
  const unseenDownloadMs = bucket === undefined ? 0 : downloadLinkLifeMs;
  const options = { ...given({ autoAccept, deviceTokenLifeMs, userTokenLifeMs }), unseenDownloadMs };
  // Always the machine's own time, also where tests move the server's clock.
  const pace = { clock: new NodeClock(), timers: new NodeTimers() };
  const storage: StorageLocation =
    database === undefined ? { directory, workers: new NodeWorkers(), pace } : { url: database };
  try {
    return await openDomain({ system, storage, options, logger });
  } catch (error) {
    throw new UnusableDataError("records", error);
  }
}

function housekeepingOf(
  system: System,
  domain: Domain,
  blobs: Blobs,
  machine: { readonly clock: Clock; readonly timers: Timers },
  { logger, housekeeping, isClockHeld }: ServerSettings,
): readonly { stop(): void | Promise<void> }[] {
  if (housekeeping === "off") return [];
  const { contacts, deployments } = domain;
  return [
    new Housekeeping({
      contacts,
      deployments,
      timers: system.timers,
      logger,
      sweep: () => sweep(system, blobs, domain, logger),
      ...given({ run: housekeeping }),
    }),
    new HearingWatch(deployments, machine, isClockHeld),
  ];
}
