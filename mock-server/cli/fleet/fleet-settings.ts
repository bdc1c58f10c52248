import type { TlsOptions } from "@upkeep/shared/system";
import type { FleetPlan } from "../../scenarios/fleet/plan.ts";
import type { SimulatedPhase, SimulationPlan } from "../../scenarios/fleet/simulated/simulation.ts";
import { parseDuration } from "../durations.ts";
import { CommandError } from "../failure.ts";
import { MANAGEMENT_OPTIONS, parseServerUrl, SERVER_OPTIONS } from "../management.ts";
import { parseCount, parseDurations, parseShare, parseSizes, parseWeights } from "./ranges.ts";

const one = { type: "string", requiresArg: true } as const;

/** How the devices behave: for real and simulated fleets. */
export const BEHAVIOUR_OPTIONS = {
  devices: { type: "number", describe: "How many devices", default: 100, requiresArg: true },
  types: { ...one, describe: "Device types with their shares of the fleet", default: "board" },
  "artifact-name": { ...one, describe: "What the devices run at first", default: "virtual-1" },
  poll: {
    ...one,
    describe: "Each device polls in an interval from this range",
    defaultDescription: "30m; with --simulate 12h..1d",
  },
  inventory: {
    ...one,
    describe: "Each device sends its inventory in an interval from this range",
    defaultDescription: "8h; with --simulate 1d",
  },
  jitter: { ...one, describe: "Up to this share of an interval is added to it at random", default: "10%" },
  retry: { ...one, describe: "The longest pause before something that failed is tried again", default: "5m" },
  "start-over": {
    ...one,
    describe: "The devices come, spread evenly, within so long",
    defaultDescription: "30s; with --simulate 6h",
  },
  speed: {
    ...one,
    describe: "Bytes a second of each device's link, from this range",
    defaultDescription: "no limit",
  },
  install: { ...one, describe: "Installing takes a time from this range", default: "5s..30s" },
  reboot: {
    ...one,
    describe: "Rebooting takes a time from this range; none: devices do not reboot",
    default: "10s..1m",
  },
  failures: { ...one, describe: "Share of the updates that fail on the device", default: "0%" },
  seed: { ...one, describe: "Decides identities, keys and everything that is drawn", default: "fleet" },
} as const;

export const REAL_OPTIONS = {
  server: { ...one, describe: "URL of the server, which may be any that speaks the Mender protocol" },
  ...SERVER_OPTIONS,
  "tenant-token": { ...one, describe: "Tenant token, for servers that have tenants", default: "" },
  accept: {
    type: "boolean",
    describe: "Let the devices in through the management API first; needs --user",
    default: false,
  },
  ...MANAGEMENT_OPTIONS,
  connections: {
    type: "number",
    describe: "Limit of connections at once; further requests wait",
    default: 1024,
    requiresArg: true,
  },
  reconnect: {
    type: "boolean",
    describe: "A new connection for each request, as devices that poll seldom need it",
    default: false,
  },
  duration: { ...one, describe: "End after so long", defaultDescription: "until SIGINT or SIGTERM" },
  until: { ...one, describe: "End once all devices are let in (in), or this many updates have ended (updates=1000)" },
  "errors-max": {
    ...one,
    describe: "Share of requests that may fail (5xx, or no answer) before that is a failure",
    default: "0%",
  },
} as const;

/** The condition that ends a fleet. */
export type FleetGoal = { readonly kind: "in" } | { readonly kind: "updates"; readonly count: number };

export const SIMULATED_OPTIONS = {
  simulate: {
    type: "boolean",
    describe: "No server: the fleet, a server and a phased deployment, in virtual time",
    default: false,
  },
  days: { type: "number", describe: "With --simulate: how long, in simulated days", default: 7, requiresArg: true },
  "deploy-at": {
    ...one,
    describe: "With --simulate: the deployment is created so long after the start",
    default: "12h",
  },
  phases: {
    ...one,
    describe:
      "With --simulate: shares of the fleet with their beginning after the deployment's; the last gets the rest",
    default: "1%,10%@1d,rest@2d",
  },
  retries: {
    type: "number",
    describe: "With --simulate: further attempts of a device that failed",
    default: 0,
    requiresArg: true,
  },
  "artifact-size": { ...one, describe: "With --simulate: what each device downloads", default: "4MB" },
  plot: { ...one, describe: "With --simulate: SVG file for the devices by status over time" },
} as const;

export interface SimulatedSettings {
  readonly plan: SimulationPlan;
  /** Path of the SVG file. */
  readonly plot: string | undefined;
}

export interface RealSettings {
  readonly plan: FleetPlan;
  readonly accept: boolean;
  readonly connectionsMax: number;
  readonly keepAlive: boolean;
  readonly durationMs: number | undefined;
  readonly until: FleetGoal | undefined;
  readonly errorsMax: number;
}

const DEVICES_MAX = 1_000_000;

const DAYS_MAX = 366;
const RETRIES_MAX = 100;

/** Default intervals: those of the agent, and shorter ones for a simulated week that passes in minutes. */
const INTERVALS = {
  real: { poll: "30m", inventory: "8h", "start-over": "30s" },
  simulated: { poll: "12h..1d", inventory: "1d", "start-over": "6h" },
} as const;

function text(args: Readonly<Record<string, unknown>>, option: string): string {
  const value = args[option];
  return typeof value === "string" ? value : "";
}

/** How the devices behave. @throws CommandError that names the option at fault. */
export function behaviourOf(
  given: Readonly<Record<string, unknown>>,
  kind: keyof typeof INTERVALS,
): Omit<FleetPlan, "server" | "tls" | "tenantToken"> {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const args: Readonly<Record<string, unknown>> = { ...INTERVALS[kind], ...Object.fromEntries(set) };
  const durations = (option: string) => parseDurations(option, text(args, option));
  const reboot = text(args, "reboot");
  const artifactName = text(args, "artifact-name");
  if (artifactName === "") throw new CommandError("--artifact-name: must not be empty");
  return {
    devices: parseCount("devices", args.devices, 1, DEVICES_MAX),
    seed: text(args, "seed"),
    types: parseWeights("types", text(args, "types")),
    artifactName,
    pollMs: durations("poll"),
    inventoryMs: durations("inventory"),
    jitter: parseShare("jitter", text(args, "jitter")),
    retryMs: parseDuration("retry", text(args, "retry")),
    startMs: parseDuration("start-over", text(args, "start-over")),
    speed: args.speed === undefined ? { least: 0, most: 0 } : parseSizes("speed", text(args, "speed")),
    installMs: durations("install"),
    rebootMs: reboot === "none" ? undefined : parseDurations("reboot", reboot),
    failures: parseShare("failures", text(args, "failures")),
  };
}

function goalOf(value: string): FleetGoal {
  if (value === "in") return { kind: "in" };
  const count = /^updates=(\d{1,9})$/.exec(value)?.[1];
  if (count !== undefined && Number(count) > 0) return { kind: "updates", count: Number(count) };
  throw new CommandError(`--until ${JSON.stringify(value)}: must be in, or updates=COUNT`);
}

/** `1%,10%@1d,rest@2d`. @throws CommandError */
function phasesOf(value: string): SimulatedPhase[] {
  const parts = value.split(",");
  return parts.map((part, index) => {
    const [, share = "", after] = /^(rest|[\d.]+%)(?:@(\w+))?$/.exec(part) ?? [];
    const last = index === parts.length - 1;
    if (share === "" || (share === "rest") !== last || (after === undefined) !== (index === 0)) {
      throw new CommandError(
        `--phases ${JSON.stringify(value)}: must be shares with their beginning, the first at once, the last the rest, ` +
          "such as 1%,10%@1d,rest@2d, or rest alone",
      );
    }
    return {
      percent: last ? undefined : parseShare("phases", share) * 100,
      afterMs: after === undefined ? 0 : parseDuration("phases", after),
    };
  });
}

/** What is to be simulated. @throws CommandError that names the option at fault. */
export function simulatedSettingsOf(args: Readonly<Record<string, unknown>>): SimulatedSettings {
  for (const option of [...Object.keys(REAL_OPTIONS)]) {
    const { default: usual } = REAL_OPTIONS[option as keyof typeof REAL_OPTIONS] as { readonly default?: unknown };
    if (args[option] !== undefined && args[option] !== usual) {
      throw new CommandError(`--${option} is for real servers, and --simulate has none`);
    }
  }
  const { least: artifactBytes } = parseSizes("artifact-size", text(args, "artifact-size"));
  return {
    plan: {
      fleet: behaviourOf(args, "simulated"),
      days: parseCount("days", args.days, 1, DAYS_MAX),
      deployAtMs: parseDuration("deploy-at", text(args, "deploy-at")),
      phases: phasesOf(text(args, "phases")),
      retries: parseCount("retries", args.retries, 0, RETRIES_MAX),
      artifactBytes: Math.max(1, Math.round(artifactBytes)),
    },
    plot: typeof args.plot === "string" ? args.plot : undefined,
  };
}

/** What a fleet against a real server is to do. @throws CommandError that names the option at fault. */
export function realSettingsOf(args: Readonly<Record<string, unknown>>, tls: TlsOptions): RealSettings {
  if (typeof args.server !== "string") throw new CommandError("--server: say which server the devices are to ask");
  const tenantToken = text(args, "tenant-token");
  return {
    plan: { ...behaviourOf(args, "real"), server: parseServerUrl("server", args.server), tls, tenantToken },
    accept: args.accept === true,
    connectionsMax: parseCount("connections", args.connections, 1, 65_535),
    keepAlive: args.reconnect !== true,
    durationMs: args.duration === undefined ? undefined : parseDuration("duration", text(args, "duration")),
    until: args.until === undefined ? undefined : goalOf(text(args, "until")),
    errorsMax: parseShare("errors-max", text(args, "errors-max")),
  };
}
