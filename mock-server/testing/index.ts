import { given } from "@upkeep/shared/given";
import { createLogger } from "@upkeep/shared/logging";
import { DEFAULT_OPTIONS } from "../api/options.ts";
import { type ComposedServer, composeServer } from "../compose.ts";
import { controlExtension, controlledSystem, TestControls } from "../control/index.ts";
import { type Domain, openDomain } from "../domain.ts";
import { MemoryBlobs } from "../storage/blobs/index.ts";
import { openInMemory } from "../system/in-memory.ts";
import { openSystem } from "../system/index.ts";
import { listen } from "../system/listen.ts";
import type * as face from "./face.ts";
import { handleRequest } from "./handle.ts";
import { RunningTestServer } from "./running-server.ts";

const ADMINISTRATOR = "admin@example.com";
/** Nothing is kept that a password protects: each start and login may be quick. */
const PASSWORD_WORK = 16;
const URL_WITHOUT_SOCKET = "http://upkeep.test";

/** Starts a server for a test, with all data in memory. */
export const startServer: typeof face.startServer = async (options = {}) => {
  const real = openSystem();
  const system = controlledSystem(real);
  const { autoAccept = false, deviceTokenLifeMs, downloadLinkLifeMs = DEFAULT_OPTIONS.downloadLinkLifeMs } = options;
  const domain = await openDomain({
    system,
    storage: { memory: true },
    options: { autoAccept, passwordWork: PASSWORD_WORK, ...given({ deviceTokenLifeMs }) },
  });
  try {
    const administrator = await logIn(domain);
    const blobs = new MemoryBlobs(() => system.clock.now());
    const controls = await TestControls.open({ system, domain, blobs });
    const logger = createLogger({
      level: options.log === undefined ? "error" : "info",
      format: "json",
      write: options.log ?? (() => undefined),
      now: () => system.clock.now(),
    });
    const server = await composeServer(system, {
      ...DEFAULT_OPTIONS,
      downloadLinkLifeMs,
      data: { domain, blobs },
      logger,
      machine: real,
      isClockHeld: () => system.time.frozen,
      extend: async () => ({
        blobs: controls.blobs,
        extension: controlExtension(controls, domain, { hosts: "this-machine", system, logger }),
      }),
    });
    return await run(server, administrator, controls, options);
  } catch (error) {
    await domain.close();
    throw error;
  }
};

async function run(
  server: ComposedServer,
  administrator: face.Administrator,
  controls: TestControls,
  options: face.StartOptions,
): Promise<face.TestServer> {
  const { host = "127.0.0.1", port = 0 } = options;
  const { domain, listener } = server;
  const memory = openInMemory(listener);
  const listening = options.listen === false ? undefined : await listen(listener, { host, port });
  return new RunningTestServer({
    url:
      listening === undefined ? (options.url ?? URL_WITHOUT_SOCKET).replace(/\/+$/, "") : urlOf(host, listening.port),
    administrator,
    controls,
    domain,
    handle: (request) => handleRequest(memory, request),
    stop: async () => {
      server.endStreams();
      memory.close();
      controls.time.close();
      await listening?.close(0);
      await server.close();
      await domain.close();
    },
  });
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function logIn(domain: Domain): Promise<face.Administrator> {
  const made = await domain.users.ensureAdministrator(ADMINISTRATOR);
  if (made === undefined) throw new Error("a new server has an administrator already");
  return { ...made, token: await domain.users.login(made.email, made.password, { noExpiry: true }) };
}
