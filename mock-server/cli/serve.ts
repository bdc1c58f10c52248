import { given } from "@upkeep/shared/given";
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import { type ComposedServer, composeServer, type ServerSettings } from "../compose.ts";
import { consoleRoutes } from "../console/routes.ts";
import type { ScenarioRun } from "../control/index.ts";
import { compressInThreads } from "../releases/adaptive/chunk-compression.ts";
import { isLoopback } from "../system/connections.ts";
import {
  absolutePath,
  exitNow,
  packageFile,
  setExitStatus,
  standardError,
  standardOutput,
} from "../system/environment.ts";
import { listen } from "../system/listen.ts";
import type { Networks } from "../system/networks.ts";
import { NodeWorkers } from "../system/workers.ts";
import { urlOf } from "./addresses.ts";
import { type AnnouncedAdministrator, ensureAdministrator, firstAdministrator } from "./administrator-options.ts";
import { announce } from "./announcement.ts";
import { withCredentials } from "./bucket-options.ts";
import type { CommandBody } from "./commands.ts";
import { identityFromFiles, selfSignedIdentity } from "./identity.ts";
import { beginRecording } from "./recording.ts";
import { listenFault, unusableData } from "./serve/faults.ts";
import { LOG_FORMATS, SERVE_EPILOGUE, SERVE_OPTIONS, type ServeSettings, settingsOf } from "./serve/options.ts";

/** How long requests in flight may go on after a signal, in milliseconds. */
const GRACE_MS = 10_000;

/** A server that takes requests. */
export interface Serving {
  /** With the port that the system assigned. */
  readonly url: string;
  readonly dataDirectory: string;
  /** Only with a certificate of our own. */
  readonly certificatePath?: string;
  /** Only at the first start; without a password if the operator chose it. */
  readonly administrator?: AnnouncedAdministrator;
  /** @returns How many connections had to be cut after `graceMs`. */
  stop(graceMs: number): Promise<number>;
}

/**
 * Composes the server and listens.
 * @throws CommandError or DataDirectoryError, in one line, for everything that the operator can correct.
 */
export async function startServing(door: System, settings: ServeSettings, logger: Logger): Promise<Serving> {
  const directory = absolutePath(settings.dataDirectory);
  const first = await firstAdministrator(door.files, settings.administrator ?? {});
  const fromFiles = await identityFromFiles(door.files, settings.tls);
  const control = settings.testControls === undefined ? undefined : await loadControl(door, settings.testControls);
  const system = control?.system ?? door;
  const server = await compose(system, settings, {
    ...compositionOf(settings, directory),
    logger,
    machine: door,
    ...given({ extend: control?.extend(logger), isClockHeld: control?.isClockHeld }),
    ...(settings.console
      ? { pages: await consoleRoutes(door.files, packageFile("dist/console"), control !== undefined) }
      : {}),
  });
  let recorder: Awaited<ReturnType<typeof beginRecording>>;
  try {
    const selfSigned =
      settings.tls === "self-signed"
        ? await selfSignedIdentity(system, `${directory}/tls`, settings.listen.host)
        : undefined;
    const tls = selfSigned ?? fromFiles;
    recorder = await beginRecording(door, settings.record, logger);
    const { connections, listener } = server;
    const { connectionsMax, connectionsPerAddressMax, proxies } = settings;
    const listening = await listen(recorder?.around(listener) ?? listener, {
      ...settings.listen,
      ...given({ tls, connectionsMax, connectionsPerAddressMax, isExempt: exemptFrom(proxies) }),
      counts: connections,
    }).catch((error: unknown) => {
      throw listenFault(error, settings.listen);
    });
    // After listening: a start that fails makes no account whose password was never shown.
    const administrator = await ensureAdministrator(server.domain, first, logger).catch(async (error: unknown) => {
      await listening.close(0);
      throw error;
    });
    return {
      url: urlOf(tls === undefined ? "http" : "https", { host: settings.listen.host, port: listening.port }),
      dataDirectory: directory,
      ...given({ certificatePath: selfSigned?.certificatePath, administrator }),
      stop: async (graceMs) => {
        server.endStreams();
        const cut = await listening.close(graceMs);
        await recorder?.end();
        await server.close();
        return cut;
      },
    };
  } catch (error) {
    await recorder?.end();
    await server.close();
    throw error;
  }
}

/** A proxy brings the connections of many clients. */
function exemptFrom(proxies: Networks | undefined): ((address: string) => boolean) | undefined {
  return proxies === undefined ? undefined : (address) => isLoopback(address) || proxies.has(address);
}

async function compose(system: System, settings: ServeSettings, composition: ServerSettings): Promise<ComposedServer> {
  try {
    return await composeServer(system, composition);
  } catch (error) {
    throw await unusableData(error, system.files, settings);
  }
}

function compositionOf(settings: ServeSettings, directory: string): Omit<ServerSettings, "logger"> {
  const { database, publicUrl, proxies, autoAccept, deviceTokenLifeMs, downloadLinkLifeMs, insecureNoAuth } = settings;
  const { adaptive } = settings;
  const bucket = settings.bucket === undefined ? undefined : withCredentials(settings.bucket);
  return {
    data: { directory, ...given({ database, bucket }) },
    autoAccept,
    deviceTokenLifeMs,
    downloadLinkLifeMs,
    insecureNoAuth,
    ...given({ publicUrl, isProxy: proxies?.has }),
    ...(adaptive === true ? { adaptive: { compression: compressInThreads(new NodeWorkers(), 1) } } : {}),
  };
}

/** Loads what runs scenarios when the first one comes. */
async function readScenario(text: string): Promise<ScenarioRun> {
  const { readLive } = await import("../scenarios/index.ts");
  return readLive(text);
}

/** The controls for tests: their clock can be moved. Loaded only on request. */
async function loadControl(door: System, hosts: "this-machine" | "any") {
  const { controlledSystem, openControlApi } = await import("../control/index.ts");
  const system = controlledSystem(door);
  return {
    system,
    isClockHeld: () => system.time.frozen,
    extend:
      (logger: Logger): NonNullable<ServerSettings["extend"]> =>
      (data) =>
        openControlApi({ system, ...data, logger }, hosts, readScenario),
  };
}

function openLog(args: Readonly<Record<string, unknown>>, system: System): Logger {
  const otherwise = standardError.isTerminal ? "human" : "json";
  return createLogger({
    level: LOG_LEVELS.find((level): level is LogLevel => level === args["log-level"]) ?? "info",
    format: LOG_FORMATS.find((format) => format === args["log-format"]) ?? otherwise,
    colours: standardError.colours ?? false,
    write: standardError.write,
    now: () => system.clock.now(),
  });
}

/** Resolves with the name of the first signal that asks the server to end; the second one ends it at once. */
function untilAskedToEnd({ processes }: System): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      processes.onSignal(signal, () => {
        if (asked) exitNow(1);
        asked = true;
        resolve(signal);
      });
    }
  });
}

/** `upkeep-server serve` */
export function serveCommand(system: System): CommandBody {
  return {
    builder: (yargs) => yargs.options(SERVE_OPTIONS).epilogue(SERVE_EPILOGUE),
    handler: async (args) => {
      const settings = settingsOf(args);
      const logger = openLog(args, system);
      const ended = untilAskedToEnd(system);
      const serving = await startServing(system, settings, logger);
      announce(serving, settings, args.json === true, standardOutput);
      logger.info("ready", { event: "listening", url: serving.url });
      const signal = await ended;
      logger.info(`${signal}: finishing what is in flight`, { grace_ms: GRACE_MS });
      const cut = await serving.stop(GRACE_MS);
      if (cut > 0) logger.warning("connections had to be cut", { connections: cut });
      logger.info("ended", { event: "ended" });
      setExitStatus(0);
    },
  };
}
