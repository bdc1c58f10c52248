import { given } from "@upkeep/shared/given";
import { createLogger } from "@upkeep/shared/logging";
import { buildApplication } from "../api/application.ts";
import { DEFAULT_OPTIONS } from "../api/options.ts";
import { controlExtension, controlledSystem, TestControls } from "../control/index.ts";
import { type Domain, openDomain } from "../domain.ts";
import { DownloadLinks } from "../releases/links.ts";
import { MemoryBlobs } from "../scenarios/world/blobs.ts";
import { openInMemory } from "../system/in-memory.ts";
import { openSystem } from "../system/index.ts";
import { listen } from "../system/listen.ts";
import type * as face from "./face.ts";
import { handleRequest } from "./handle.ts";
import { RunningTestServer } from "./server.ts";

const ADMINISTRATOR = "admin@example.com";
const URL_WITHOUT_SOCKET = "http://upkeep.test";

/** A server for a test: everything is in memory, and goes when it is closed. */
export const startServer: typeof face.startServer = async (options = {}) => {
  const system = controlledSystem(openSystem());
  const { autoAccept = false, deviceTokenLifeMs } = options;
  const domain = await openDomain({
    system,
    storage: { memory: true },
    options: { autoAccept, ...given({ deviceTokenLifeMs }) },
  });
  try {
    return await start(options, system, domain);
  } catch (error) {
    await domain.close();
    throw error;
  }
};

async function start(
  options: face.StartOptions,
  system: ReturnType<typeof controlledSystem>,
  domain: Domain,
): Promise<face.TestServer> {
  const { downloadLinkLifeMs = DEFAULT_OPTIONS.downloadLinkLifeMs, host = "127.0.0.1", port = 0 } = options;
  const administrator = await logIn(domain);
  const controls = await TestControls.open({ system, domain, blobs: new MemoryBlobs(() => system.clock.now()) });
  const logger = createLogger({
    level: options.log === undefined ? "error" : "info",
    format: "json",
    write: options.log ?? (() => undefined),
    now: () => system.clock.now(),
  });
  const ending = new AbortController();
  const app = await buildApplication({
    system,
    domain,
    blobs: controls.blobs,
    links: new DownloadLinks(domain.linkSecret, () => system.clock.now()),
    options: { ...DEFAULT_OPTIONS, downloadLinkLifeMs },
    logger,
    ending: ending.signal,
    extension: controlExtension(controls, domain, { hosts: "this-machine", system, logger }),
  });
  const memory = openInMemory(app.listener);
  const listening = options.listen === false ? undefined : await listen(app.listener, { host, port });
  return new RunningTestServer({
    url:
      listening === undefined ? (options.url ?? URL_WITHOUT_SOCKET).replace(/\/+$/, "") : urlOf(host, listening.port),
    administrator,
    controls,
    domain,
    handle: (request) => handleRequest(memory, request),
    stop: async () => {
      ending.abort();
      memory.close();
      controls.time.close();
      await listening?.close(0);
      await app.close();
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
