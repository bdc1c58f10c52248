import { given } from "@upkeep/shared/given";
import { noopLogger } from "@upkeep/shared/logging";
import {
  type Clock,
  type HttpHeaders,
  type HttpRequest,
  type Random,
  type System,
  SystemError,
} from "@upkeep/shared/system";
import { DEFAULT_OPTIONS } from "../../api/options.ts";
import { SignsOfLife } from "../../api/signs-of-life.ts";
import { type ComposedServer, composeServer } from "../../compose.ts";
import { type Domain, openDomain } from "../../domain.ts";
import type { ExchangeAnswer } from "../../faults/effects/exchange.ts";
import type { RunRound } from "../../housekeeping/housekeeping.ts";
import { compressHere } from "../../releases/adaptive/chunk-compression.ts";
import { linkedDevice } from "../../releases/links.ts";
import { takeArtifact } from "../../releases/upload.ts";
import { MemoryBlobs } from "../../storage/blobs/index.ts";
import type { VirtualTime } from "../simulation/index.ts";
import { SYNCHRONOUS_DECOMPRESSORS } from "./decompression.ts";
import { SERVER_URL } from "./factory.ts";
import type { DeviceIdentity } from "./fleet.ts";

/** Parts of the server that a test replaces by ones of its own, made of the true ones: planted bugs. */
export interface ServerWraps {
  readonly domain?: (domain: Domain) => Domain;
  readonly clock?: (clock: Clock) => Clock;
  /** The request as the application gets it, and its answer. */
  readonly exchange?: (
    request: HttpRequest,
    answer: (request: HttpRequest) => Promise<ExchangeAnswer>,
  ) => Promise<ExchangeAnswer>;
}

export interface ServerSettings {
  readonly time: VirtualTime;
  readonly random: Random;
  /** Milliseconds since the Unix epoch. */
  readonly startMs: number;
  readonly tokenLifeMs: number | undefined;
  readonly linkLifeMs: number | undefined;
  readonly adaptive: boolean;
  /** Runs each round of the housekeeping, if there is any. */
  readonly housekeeping: RunRound | "off";
  readonly wraps: ServerWraps;
}

const FAILING_FILES = new Proxy({} as System["files"], {
  get: (_, name) => () =>
    Promise.reject(new SystemError("ENOSYS", `the simulated server has no files: ${String(name)}`)),
});

/** The true server, with its records in memory, called without sockets. */
export class SimulatedServer {
  readonly domain: Domain;
  readonly #settings: ServerSettings;
  readonly #system: System;
  readonly #blobs: MemoryBlobs;
  #server: ComposedServer;
  #up = true;
  readonly #wall: WallOffset;

  private constructor(
    settings: ServerSettings,
    system: System,
    domain: Domain,
    blobs: MemoryBlobs,
    server: ComposedServer,
    wall: WallOffset,
  ) {
    this.#wall = wall;
    this.#settings = settings;
    this.#system = system;
    this.domain = domain;
    this.#blobs = blobs;
    this.#server = server;
  }

  static async open(settings: ServerSettings): Promise<SimulatedServer> {
    const wall = { ms: 0 };
    const system = doorOf(settings, wall);
    const { tokenLifeMs, wraps } = settings;
    const opened = await openDomain({
      system,
      storage: { memory: true },
      ...(tokenLifeMs === undefined ? {} : { options: { deviceTokenLifeMs: tokenLifeMs } }),
    });
    const domain = wraps.domain?.(opened) ?? opened;
    const blobs = new MemoryBlobs(system.clock.now);
    return new SimulatedServer(settings, system, domain, blobs, await compose(settings, system, domain, blobs), wall);
  }

  get up(): boolean {
    return this.#up;
  }

  /** Its wall clock jumps: no time passes. */
  jumpClock(byMs: number): void {
    this.#wall.ms += byMs;
  }

  /** Tells the server, for a download under way, that its device takes bytes. */
  signsOf(url: string): SignsOfLife | undefined {
    const deviceId = linkedDevice(Object.fromEntries(new URL(url).searchParams));
    if (deviceId === undefined) return undefined;
    const { time } = this.#settings;
    const touch = async (id: string): Promise<void> => {
      if (this.#up) await time.hold(this.domain.deviceSide.touch(id));
    };
    return new SignsOfLife({ touch, clock: this.#system.clock, logger: noopLogger }, deviceId);
  }

  kill(): void {
    this.#up = false;
  }

  /** Start it again: what it had in memory, apart from its records, is gone. */
  async start(): Promise<void> {
    if (this.#up) return;
    await this.#server.close();
    this.#server = await compose(this.#settings, this.#system, this.domain, this.#blobs);
    this.#up = true;
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.domain.close();
  }

  /** @returns The new artifact's id. */
  async upload(content: Uint8Array): Promise<string> {
    const source = (async function* () {
      yield content;
    })();
    const id = await takeArtifact(
      { content: source, description: "", sizeBytes: content.length },
      {
        system: this.#system,
        blobs: this.#blobs,
        record: (artifact) => this.domain.artifacts.insert(artifact),
        decompressors: SYNCHRONOUS_DECOMPRESSORS,
      },
    );
    await this.#server.indexed();
    return id;
  }

  /** Registers a device, and accepts it if the scenario says so. @returns Its id. */
  async admit(device: Pick<DeviceIdentity, "identity" | "key">, accept: boolean): Promise<string> {
    const body = Buffer.from(JSON.stringify({ id_data: device.identity, pubkey: device.key.publicPem }));
    const signature = device.key.sign(body);
    // It is not accepted yet: the answer is no.
    await this.domain.authentication.authorize({ body, signature }).then(
      () => undefined,
      () => undefined,
    );
    const known = await this.domain.devices.withIdentity(device.identity);
    if (known === undefined) throw new Error(`the device ${device.identity} could not be made known`);
    if (accept) await this.setStatus(known.id, "accepted");
    return known.id;
  }

  async setStatus(deviceId: string, status: "accepted" | "rejected"): Promise<void> {
    const { authSets } = await this.domain.devices.get(deviceId);
    for (const { id } of authSets) await this.domain.devices.setAuthSetStatus(deviceId, id, status);
  }

  /** `undefined`: the server is down. */
  async ask(request: HttpRequest): Promise<ExchangeAnswer | undefined> {
    if (!this.#up) return undefined;
    const exchange = this.#settings.wraps.exchange;
    const inject = (one: HttpRequest) => this.#inject(one);
    return await (exchange === undefined ? inject(request) : exchange(request, inject));
  }

  async #inject({ method, url, headers, body }: HttpRequest): Promise<ExchangeAnswer> {
    const { host, pathname, search } = new URL(url);
    const answer = await this.#server.app.inject({
      method,
      url: `${pathname}${search}`,
      headers: { host, ...headers },
      ...(body === undefined ? {} : { payload: typeof body === "string" ? body : Buffer.from(body) }),
    });
    const answered: HttpHeaders = Object.fromEntries(
      Object.entries(answer.headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value : String(value)]],
      ),
    );
    return { status: answer.statusCode, headers: answered, body: answer.rawPayload };
  }
}

/** How much the server's wall clock is ahead of the scenario's time. */
interface WallOffset {
  ms: number;
}

function doorOf({ time, random, startMs, wraps }: ServerSettings, wall: WallOffset): System {
  const trueClock: Clock = { now: () => startMs + time.nowMs + wall.ms, monotonic: () => time.nowMs };
  const clock = wraps.clock?.(trueClock) ?? trueClock;
  const refuse = () => Promise.reject(new SystemError("ENOSYS", "the simulated server cannot do that"));
  return {
    clock,
    timers: {
      after: (delayMs, action) => time.after(delayMs, action),
      sleep: (delayMs) =>
        new Promise((resolve) => {
          time.after(delayMs, resolve);
        }),
    },
    random,
    files: FAILING_FILES,
    cron: { fault: refuse, matches: refuse, schedule: refuse },
    network: { request: refuse },
    processes: { start: refuse, onSignal: () => () => undefined },
    power: { reboot: refuse },
  };
}

function compose(
  { linkLifeMs, adaptive, housekeeping }: ServerSettings,
  system: System,
  domain: Domain,
  blobs: MemoryBlobs,
): Promise<ComposedServer> {
  return composeServer(system, {
    ...DEFAULT_OPTIONS,
    ...given({ downloadLinkLifeMs: linkLifeMs }),
    publicUrl: SERVER_URL,
    data: { domain, blobs },
    logger: noopLogger,
    housekeeping,
    ...(adaptive ? { adaptive: { compression: compressHere(), decompressors: SYNCHRONOUS_DECOMPRESSORS } } : {}),
  });
}
