import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, type System } from "@upkeep/shared/system";
import { type ApplicationParts, buildApplication, type ServerExtension } from "../api/application.ts";
import { type Domain, openDomain } from "../domain.ts";
import { HearingWatch } from "../housekeeping/hearing-watch.ts";
import { Housekeeping } from "../housekeeping/housekeeping.ts";
import { sweep } from "../housekeeping/sweeping.ts";
import { DownloadLinks } from "../releases/links.ts";
import type { Blobs } from "../storage/blobs/index.ts";
import { DATABASE_FILE } from "../storage/index.ts";
import { batchPerTick } from "../system/batch-per-tick.ts";
import { ConnectionCounts } from "../system/connection-counts.ts";
import { absolutePath } from "../system/environment.ts";
import { type Listening, listen, type TlsIdentity } from "../system/listen.ts";
import { NodeClock, NodeTimers } from "../system/time.ts";
import { NodeWorkers } from "../system/workers.ts";
import { type ListenAddress, urlOf } from "./addresses.ts";
import {
  type AdministratorSettings,
  type AnnouncedAdministrator,
  administratorOf,
  ensureAdministrator,
} from "./administrator.ts";
import { type BucketSettings, openBlobs } from "./blob-store.ts";
import { logConnectionEnds } from "./connection-log.ts";
import { checkPermissions, DataDirectory } from "./data-directory.ts";
import { openOrExplain } from "./explaining.ts";
import { CommandError } from "./failure.ts";
import { readIdentity, type SelfSigned, selfSignedIdentity } from "./identity.ts";
import { beginRecording, type RecordSettings } from "./recording.ts";

/** What `serve` was told, checked. */
export interface ServeSettings {
  readonly dataDirectory: string;
  /** PostgreSQL, as `postgres://…`. Absent: the records are in the data directory. */
  readonly database?: string;
  /** Of whom the first start makes. */
  readonly administrator?: AdministratorSettings;
  /** Where the artifacts are. Absent: in the data directory. */
  readonly bucket?: BucketSettings;
  readonly listen: ListenAddress;
  readonly tls?: "self-signed" | { readonly certPath: string; readonly keyPath: string };
  readonly publicUrl?: string;
  readonly autoAccept: boolean;
  readonly insecureNoAuth: boolean;
  /** Whose requests tests may be; absent: there is no control API. */
  readonly testControls?: "this-machine" | "any";
  readonly deviceTokenLifeMs: number;
  readonly downloadLinkLifeMs: number;
  /** The file that what devices and the server say is written to. */
  readonly record?: RecordSettings;
  /** Open at once. Absent: no limit. */
  readonly connectionsMax?: number;
  /** From one address other than this machine's own; 0 or absent: no limit. */
  readonly connectionsPerAddressMax?: number;
}

/** A server that takes requests. */
export interface Serving {
  /** With the port that it really got. */
  readonly url: string;
  readonly dataDirectory: string;
  /** Only with a certificate of our own. */
  readonly certificatePath?: string;
  /** Only at the first start; without a password if it was given. */
  readonly administrator?: AnnouncedAdministrator;
  /** @returns How many connections had to be cut after `graceMs`. */
  stop(graceMs: number): Promise<number>;
}

/**
 * Open the data directory and take requests.
 * @throws CommandError in one line for everything that whoever starts the server can put right.
 */
export async function startServing(door: System, settings: ServeSettings, logger: Logger): Promise<Serving> {
  const control = settings.testControls === undefined ? undefined : await loadControl(door);
  const system = control?.system ?? door;
  const directory = absolutePath(settings.dataDirectory);
  const first = await administratorOf(system.files, settings.administrator ?? {});
  const engine = settings.database === undefined ? "sqlite" : "postgres";
  const held = await DataDirectory.open(system.files, directory, engine);
  let domain: Domain | undefined;
  let recorder: Awaited<ReturnType<typeof beginRecording>>;
  const ending = new AbortController();
  try {
    await checkPermissions(system.files, directory, logger);
    const tls = await identityOf(system, settings, directory);
    domain = await openRecords(system, settings, directory, logger);
    const records = domain;
    await held.claim(records);
    const blobs = await openBlobs(system, placeOfBlobs(settings, directory), domain, logger);
    const controls =
      control === undefined || settings.testControls === undefined
        ? { blobs }
        : await control.module.openControlApi({ system: control.system, domain, blobs, logger }, settings.testControls);
    recorder = await beginRecording(door, settings.record, logger);
    const around = recorder === undefined ? {} : { around: recorder.around.bind(recorder) };
    const parts = { domain, tls, logger, ending: ending.signal, ...controls, ...around };
    const listening = await take(system, settings, parts);
    // After listening: a start that fails makes no account whose password was never shown.
    const administrator = await ensureAdministrator(records, first, listening, logger);
    const address = { host: settings.listen.host, port: listening.port };
    return {
      url: urlOf(tls === undefined ? "http" : "https", address),
      dataDirectory: directory,
      ...(tls !== undefined && "certificatePath" in tls ? { certificatePath: tls.certificatePath } : {}),
      ...given({ administrator }),
      stop: stopper(listening, recorder, domain, held, ending, [
        housekeepingOf(system, records, controls.blobs, logger),
        new HearingWatch(records.deployments, door),
      ]),
    };
  } catch (error) {
    await recorder?.end();
    await domain?.close();
    held.release();
    throw error;
  }
}

function housekeepingOf(system: System, domain: Domain, blobs: Blobs, logger: Logger): Housekeeping {
  return new Housekeeping(domain.deployments, system.timers, logger, () => sweep(system, blobs, domain, logger));
}

/** A server for tests goes by a clock that can be moved. */
async function loadControl(door: System) {
  const module = await import("../control/index.ts");
  return { module, system: module.controlledSystem(door) };
}

function stopper(
  listening: Listening,
  recorder: Awaited<ReturnType<typeof beginRecording>>,
  domain: Domain,
  held: DataDirectory,
  ending: AbortController,
  kept: readonly (Housekeeping | HearingWatch)[],
): Serving["stop"] {
  return async (graceMs) => {
    ending.abort();
    const cut = await listening.close(graceMs);
    await recorder?.end();
    for (const one of kept) await one.stop();
    await domain.close();
    held.release();
    return cut;
  };
}

async function openRecords(
  system: System,
  { database, bucket, autoAccept, deviceTokenLifeMs, downloadLinkLifeMs }: ServeSettings,
  directory: string,
  logger: Logger,
): Promise<Domain> {
  const unseenDownloadMs = bucket === undefined ? 0 : downloadLinkLifeMs;
  const options = { autoAccept, deviceTokenLifeMs, unseenDownloadMs };
  if (database === undefined) {
    // Whatever time it is for the server: these are the machine's own.
    const pace = { clock: new NodeClock(), timers: new NodeTimers() };
    const storage = { directory, workers: new NodeWorkers(), pace };
    return await openOrExplain(
      `${directory}/${DATABASE_FILE}`,
      () => openDomain({ system, storage, options, logger }),
      {
        files: system.files,
        path: directory,
      },
    );
  }
  return await openOrExplain("--database", () => openDomain({ system, storage: { url: database }, options, logger }));
}

async function identityOf(
  system: System,
  { tls, listen: { host } }: ServeSettings,
  directory: string,
): Promise<TlsIdentity | SelfSigned | undefined> {
  if (tls === undefined) return undefined;
  if (tls === "self-signed") return await selfSignedIdentity(system, `${directory}/tls`, host);
  return await readIdentity(system.files, absolutePath(tls.certPath), absolutePath(tls.keyPath));
}

function placeOfBlobs({ bucket, database }: ServeSettings, directory: string): Parameters<typeof openBlobs>[1] {
  return { directory, shared: database !== undefined, ...given({ bucket }) };
}

async function take(
  system: System,
  settings: ServeSettings,
  {
    tls,
    around = (listener) => listener,
    ...parts
  }: Pick<ApplicationParts, "domain" | "blobs" | "logger" | "ending" | "extension"> & {
    tls: TlsIdentity | undefined;
    around?: ServerExtension["around"];
  },
): Promise<Listening> {
  const connections = new ConnectionCounts();
  logConnectionEnds(connections, parts.logger, system.clock);
  const app = await buildApplication({
    system,
    ...parts,
    connections,
    freeBytes: () => system.files.freeBytes(absolutePath(settings.dataDirectory)),
    links: new DownloadLinks(parts.domain.linkSecret, () => system.clock.now()),
    options: {
      ...given({ publicUrl: settings.publicUrl }),
      downloadLinkLifeMs: settings.downloadLinkLifeMs,
      insecureNoAuth: settings.insecureNoAuth,
    },
    gather: batchPerTick,
  });
  try {
    const { connectionsMax, connectionsPerAddressMax } = settings;
    return await listen(around(app.listener), {
      ...settings.listen,
      ...given({ tls, connectionsMax, connectionsPerAddressMax }),
      counts: connections,
    });
  } catch (error) {
    throw listenFault(error, settings);
  }
}

function listenFault(error: unknown, { listen: { host, port } }: ServeSettings): unknown {
  if (!isSystemError(error)) return error;
  const where = `${host}:${port}`;
  if (error.code === "EADDRINUSE") return new CommandError(`--listen ${where}: another program has this port`);
  if (error.code === "EACCES") return new CommandError(`--listen ${where}: this user may not use this port`);
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND") {
    return new CommandError(`--listen ${where}: this machine has no such address`);
  }
  if (error.code.startsWith("ERR_OSSL") || error.code.startsWith("ERR_SSL")) {
    return new CommandError(`--cert and --key: not a certificate with its key: ${error.message}`);
  }
  return new CommandError(`--listen ${where}: ${error.message}`);
}
