import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import { type DeviceDeploymentStatus, isTerminal, StatusReport } from "@upkeep/shared/protocol";
import type { Random, System } from "@upkeep/shared/system";
import type { ServerExtension } from "../api/application.ts";
import type { Device, Domain } from "../domain.ts";
import { combined, type ExchangeContext, rangeStart } from "../faults/effects/exchange.ts";
import { exchangeEffectOf } from "../faults/index.ts";
import { type RequestKind, requestKind } from "../faults/language/request-kinds.ts";
import { around, type ExchangeWatch } from "../faults/wire/around.ts";
import type { Carried } from "../faults/wire/carry.ts";
import type { CarriedRequest } from "../faults/wire/messages.ts";
import { Callers } from "./callers.ts";
import { namesOf, type TestControls } from "./controls.ts";
import { controlRoutes } from "./routes.ts";
import type { ReadScenario } from "./scenario-runs.ts";

/** The facts about a request of a device. */
interface Asking {
  readonly request: CarriedRequest;
  readonly kind: RequestKind;
  readonly device: Device | undefined;
  readonly reported: DeviceDeploymentStatus | undefined;
}

interface WatchOptions {
  readonly system: Pick<System, "timers" | "random">;
  readonly logger: Logger;
}

/** Faults that need these are refused when they are switched on. */
const NOT_HERE: Pick<ExchangeContext, "artifactWith" | "killServer"> = {
  artifactWith: async () => undefined,
  killServer: () => Promise.reject(new Error("a server cannot kill itself and come back")),
};

/** The control API, and the watch that records requests of devices and applies faults to them. */
export function controlExtension(
  controls: TestControls,
  domain: Domain,
  options: WatchOptions & { readonly hosts: "this-machine" | "any"; readonly readScenario?: ReadScenario },
): ServerExtension {
  const watch = new DeviceWatch(controls, new Callers(domain), options);
  return {
    routes: controlRoutes(controls, options.hosts, options.readScenario),
    around: (listener) => around(listener, watch, options.system.timers),
  };
}

class DeviceWatch implements ExchangeWatch<Asking> {
  readonly #controls: TestControls;
  readonly #callers: Callers;
  readonly #random: Random;
  readonly #logger: Logger;
  /** How far each device has got with its deployment, by its id. */
  readonly #statuses = new Map<string, DeviceDeploymentStatus>();

  constructor(controls: TestControls, callers: Callers, { system, logger }: WatchOptions) {
    this.#controls = controls;
    this.#callers = callers;
    this.#random = system.random;
    this.#logger = logger;
  }

  isDevice(path: string): boolean {
    return requestKind(path) !== undefined;
  }

  async begin(request: CarriedRequest) {
    const kind = requestKind(request.url) ?? "other";
    const device = await this.#callers.of(kind, request);
    const reported = kind === "status" ? reportedIn(request.body) : undefined;
    const strikes = this.#controls.faults.strikes({
      kind,
      names: device === undefined ? [] : namesOf(device),
      status: device === undefined ? undefined : (reported ?? this.#statuses.get(device.id)),
    });
    const asking: Asking = { request, kind, device, reported };
    const context = { ...NOT_HERE, random: this.#random, startBytes: rangeStart(request) };
    return { exchange: asking, effect: combined(strikes.map((strike) => exchangeEffectOf(strike, context))) };
  }

  async end({ request, kind, reported, ...asking }: Asking, { status, body }: Carried): Promise<void> {
    // The first request of a device makes it known.
    const device = asking.device ?? (kind === "auth" ? await this.#callers.of(kind, request) : undefined);
    if (device !== undefined) this.#note(device, kind, reported, status, body);
    this.#controls.requests.add({
      atMs: this.#controls.time.now(),
      kind,
      method: request.method,
      path: request.url.split("?", 1)[0] ?? "",
      ...(device === undefined ? {} : { device: device.id }),
      ...given({ reported, status }),
    });
  }

  #note(
    device: Device,
    kind: RequestKind,
    reported: DeviceDeploymentStatus | undefined,
    status: number | undefined,
    body: Buffer | undefined,
  ): void {
    if (kind === "poll" && status === 200 && body !== undefined) {
      this.#callers.handedOut(device, body.toString("utf8"));
      const before = this.#statuses.get(device.id);
      if (before === undefined || isTerminal(before)) this.#statuses.set(device.id, "pending");
    }
    if (reported !== undefined && status === 204) this.#statuses.set(device.id, reported);
  }

  failed(error: unknown): void {
    this.#logger.warning("an exchange with a device broke off", { error });
  }
}

function reportedIn(body: Buffer): DeviceDeploymentStatus | undefined {
  try {
    return StatusReport.safeParse(JSON.parse(body.toString("utf8"))).data?.status;
  } catch (error) {
    // The server itself refuses such a body.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
