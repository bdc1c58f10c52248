import * as z from "zod";
import { EVERYWHERE, INSIDE_THE_DEVICE, SIMULATED_ONLY, type Support } from "./modes.ts";
import { AGENT_STATES, ModuleCall, ScriptSet } from "./names.ts";
import { Count, Duration, Rate, Size, Yes } from "./quantities.ts";
import type { RequestKind } from "./request-kinds.ts";

/**
 * What a fault interferes with. Whoever carries faults out asks for those of its concern:
 * `exchange`: one HTTP request and its answer, anywhere between device and server; `call`: a call of the agent on its
 * machine (files, programs); `program`: a run of an update module or state script; `power`: the machine itself;
 * `boot`: the boot loader; `clock`: the device's wall clock; `server`: the server process.
 */
export const CONCERNS = ["exchange", "call", "program", "power", "boot", "clock", "server"] as const;
export type Concern = (typeof CONCERNS)[number];

/** A row of the vocabulary. */
interface FaultRow {
  readonly concern: Concern;
  /** For a person; ends up in the JSON Schema. */
  readonly meaning: string;
  readonly value: z.ZodType;
  readonly modes: Support;
  /** The requests that it is about unless the file says otherwise; all if absent. */
  readonly requests?: readonly RequestKind[];
  /** It happens once, unless `count` says otherwise; others go on as long as their time lasts. */
  readonly once?: true;
}

/** How what is lost shows itself: the other end says so, or nothing is heard any more. */
const By = z.enum(["reset", "silence"]).meta({ description: "reset: ECONNRESET; silence: the connection just stalls" });

/** What the device gets in place of an artifact that is as it should be. */
export const BAD_ARTIFACTS = [
  "corrupted",
  "truncated",
  "wrong_signature",
  "unsigned",
  "wrong_device_type",
  "missing_module",
] as const;

/** What of the writes that were not synced is on the disk after the power has gone. */
export const LEFT_BEHIND = ["nothing", "everything", "torn", "zeros", "names", "chance"] as const;
export const LeftBehind = z.enum(LEFT_BEHIND).meta({
  description:
    "What of unsynced writes survives: nothing, everything, torn (each half), zeros (in their place), " +
    "names (files, without their content), chance (the seed decides)",
});

/** A moment in the life of an update at which something happens to the device. */
const Moment = {
  before: z.enum(AGENT_STATES).optional().meta({ description: "When the agent is about to enter this state" }),
  during: z.enum(AGENT_STATES).optional().meta({ description: "In the middle of this state" }),
  after: z.enum(AGENT_STATES).optional().meta({ description: "When the agent has left this state" }),
  before_step: Count.optional().meta({ description: "Before the nth durable step (sync, rename) of an update" }),
  after_step: Count.optional().meta({ description: "After the nth durable step (sync, rename) of an update" }),
};

const MOMENTS = Object.keys(Moment);

function exactlyOneMoment(value: Readonly<Record<string, unknown>>): boolean {
  return MOMENTS.filter((name) => value[name] !== undefined).length === 1;
}

const ONE_MOMENT = { error: `exactly one of ${MOMENTS.join(", ")}` };

const DOWNLOADS = ["download"] as const;
/** What is answered with JSON. */
const QUESTIONS = ["auth", "poll", "status", "log", "inventory", "configuration"] as const;

/** THE faults: each name with what it takes, what it means, and where it can be had. */
export const FAULTS = {
  link_down: {
    concern: "exchange",
    meaning: "The device reaches nobody.",
    value: z.union([Yes, z.enum(["refused", "unreachable", "silence"])], {
      error: "yes, refused, unreachable or silence",
    }),
    modes: EVERYWHERE,
  },
  cut_download: {
    concern: "exchange",
    meaning: "The connection of a download breaks: `at` so many bytes of an exchange, or `every` so many.",
    value: z
      .strictObject({ at: Size.optional(), every: Size.optional(), by: By.optional() })
      .refine((value) => (value.at === undefined) !== (value.every === undefined), {
        error: "exactly one of at, every",
      }),
    requests: DOWNLOADS,
    modes: EVERYWHERE,
  },
  slow: {
    concern: "exchange",
    meaning: "Bodies of answers come at this rate.",
    value: Rate,
    modes: EVERYWHERE,
  },
  lossy: {
    concern: "exchange",
    meaning: "The request, or the answer to a request that the server has acted on, gets lost.",
    value: z.strictObject({ lose: z.enum(["request", "answer", "either"]), by: By.optional() }),
    modes: EVERYWHERE,
  },
  reordered: {
    concern: "exchange",
    meaning:
      "Requests arrive late, each by a random time up to this, and so perhaps after a later one; the device has given up by then.",
    value: Duration,
    modes: EVERYWHERE,
  },
  duplicated: {
    concern: "exchange",
    meaning: "The server gets the request twice; the answer to the first one is lost.",
    value: Yes,
    modes: EVERYWHERE,
  },
  dns_failure: {
    concern: "exchange",
    meaning: "The name of the server cannot be resolved: there is none, or nobody answers now.",
    value: z.union([Yes, z.enum(["not_found", "try_again"])], { error: "yes, not_found or try_again" }),
    modes: {
      simulated: true,
      real: true,
      attached: "the device asks a name server that is not in our hands",
    },
  },
  tls_failure: {
    concern: "exchange",
    meaning: "The TLS connection cannot be made.",
    value: z.enum(["handshake", "expired", "not_yet_valid", "unknown_issuer", "other_host"], {
      error: "one of handshake, expired, not_yet_valid, unknown_issuer, other_host",
    }),
    modes: EVERYWHERE,
  },
  wrong_clock: {
    concern: "clock",
    meaning: "The device's wall clock is wrong: ahead or behind by so much.",
    value: z
      .strictObject({ ahead: Duration.optional(), behind: Duration.optional() })
      .refine((value) => (value.ahead === undefined) !== (value.behind === undefined), {
        error: "exactly one of ahead, behind",
      }),
    modes: SIMULATED_ONLY,
  },
  answer: {
    concern: "exchange",
    meaning: "The request does not reach the server: this is the answer.",
    value: z.strictObject({
      status: z
        .int({ error: "an HTTP status from 200 to 599" })
        .min(200, { error: "an HTTP status from 200 to 599" })
        .max(599, { error: "an HTTP status from 200 to 599" }),
      retry_after: Duration.optional(),
      body: z.string().optional(),
      headers: z.record(z.string(), z.string()).optional(),
    }),
    modes: EVERYWHERE,
  },
  malformed_answer: {
    concern: "exchange",
    meaning: "The body of the answer is no JSON.",
    value: Yes,
    requests: QUESTIONS,
    modes: EVERYWHERE,
  },
  empty_answer: {
    concern: "exchange",
    meaning: "The body of the answer is empty.",
    value: Yes,
    requests: QUESTIONS,
    modes: EVERYWHERE,
  },
  truncated_answer: {
    concern: "exchange",
    meaning: "The connection ends after so many bytes of the answer's body.",
    value: Size,
    modes: EVERYWHERE,
  },
  delayed_answer: {
    concern: "exchange",
    meaning: "The answer comes so much later.",
    value: Duration,
    modes: EVERYWHERE,
  },
  changed_object: {
    concern: "exchange",
    meaning: "What is behind the download link is another object than before, of the same size.",
    value: Yes,
    requests: DOWNLOADS,
    modes: EVERYWHERE,
  },
  expired_link: {
    concern: "exchange",
    meaning: "The download link is not good any more, as when it has expired.",
    value: Yes,
    requests: DOWNLOADS,
    modes: EVERYWHERE,
  },
  bad_artifact: {
    concern: "exchange",
    meaning: "The device gets an artifact with this defect.",
    value: z.enum(BAD_ARTIFACTS, { error: `one of ${BAD_ARTIFACTS.join(", ")}` }),
    requests: DOWNLOADS,
    modes: EVERYWHERE,
  },
  module_fails: {
    concern: "program",
    meaning: "The update module fails in this call, half-way through.",
    value: ModuleCall,
    modes: INSIDE_THE_DEVICE,
  },
  module_hangs: {
    concern: "program",
    meaning: "The update module does not return from this call.",
    value: ModuleCall,
    modes: INSIDE_THE_DEVICE,
  },
  module_floods: {
    concern: "program",
    meaning: "The update module writes much more to its standard error than anybody wants to read.",
    value: ModuleCall,
    modes: INSIDE_THE_DEVICE,
  },
  module_fills: {
    concern: "program",
    meaning:
      "The update module takes every byte and inode of the device's data partition in this call, and fails; its " +
      "Cleanup gives them back. For devices with a data_partition.",
    value: ModuleCall,
    modes: SIMULATED_ONLY,
  },
  script_fails: {
    concern: "program",
    meaning: "State scripts of this set fail.",
    value: ScriptSet,
    modes: INSIDE_THE_DEVICE,
  },
  script_retries: {
    concern: "program",
    meaning: "State scripts of this set ask to be run again later (exit code 21).",
    value: ScriptSet,
    modes: INSIDE_THE_DEVICE,
  },
  script_hangs: {
    concern: "program",
    meaning: "State scripts of this set do not return.",
    value: ScriptSet,
    modes: INSIDE_THE_DEVICE,
  },
  script_floods: {
    concern: "program",
    meaning: "State scripts of this set write much more to their standard error than anybody wants to read.",
    value: ScriptSet,
    modes: INSIDE_THE_DEVICE,
  },
  disk_full: {
    concern: "call",
    meaning: "Nothing more can be written to the device's disk (ENOSPC).",
    value: Yes,
    modes: INSIDE_THE_DEVICE,
  },
  read_only_disk: {
    concern: "call",
    meaning: "The device's disk can only be read (EROFS).",
    value: Yes,
    modes: INSIDE_THE_DEVICE,
  },
  disk_fails: {
    concern: "call",
    meaning: "Writes to the device's disk fail (EIO).",
    value: Yes,
    modes: SIMULATED_ONLY,
  },
  disk_denied: {
    concern: "call",
    meaning: "The agent has no permission to write to the device's disk (EACCES).",
    value: Yes,
    modes: SIMULATED_ONLY,
  },
  torn_write: {
    concern: "power",
    meaning: "Of writes that were not synced half is on the disk after the power has gone.",
    value: Yes,
    modes: SIMULATED_ONLY,
  },
  power_cut: {
    concern: "power",
    meaning: "The device loses its power at this moment of an update, and gets it back a little later.",
    value: z
      .strictObject({
        ...Moment,
        leaves: LeftBehind.optional(),
        for: Duration.optional().meta({ description: "How long there is none; 10s if absent" }),
      })
      .refine(exactlyOneMoment, ONE_MOMENT),
    modes: {
      simulated: true,
      real: true,
      attached: "nobody here can cut the power of the device",
    },
    once: true,
  },
  watchdog_reboot: {
    concern: "power",
    meaning: "The watchdog resets the machine at this moment of an update.",
    value: z.strictObject(Moment).refine(exactlyOneMoment, ONE_MOMENT),
    modes: INSIDE_THE_DEVICE,
    once: true,
  },
  agent_killed: {
    concern: "power",
    meaning: "The agent is killed (SIGKILL) at this moment of an update; the service manager starts it again.",
    value: z.strictObject(Moment).refine(exactlyOneMoment, ONE_MOMENT),
    modes: INSIDE_THE_DEVICE,
    once: true,
  },
  reboot_ignored: {
    concern: "power",
    meaning: "The machine accepts a reboot and does not reboot.",
    value: Yes,
    modes: SIMULATED_ONLY,
  },
  boot_failure: {
    concern: "boot",
    meaning: "What was just installed does not boot so many times; then it does.",
    value: z.strictObject({ times: Count }),
    modes: SIMULATED_ONLY,
  },
  server_killed: {
    concern: "server",
    meaning:
      "The server is killed in the middle of a request, after it has acted on it or before, and started again after so long.",
    value: z.strictObject({ when: z.enum(["before", "after"]), back_after: Duration }),
    modes: EVERYWHERE,
    once: true,
  },
  database_slow: {
    concern: "server",
    meaning: "The server's database takes so much longer for each request.",
    value: Duration,
    modes: EVERYWHERE,
  },
} as const satisfies Record<string, FaultRow>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

/** What a fault was told, as its schema has it. */
export type FaultValue<N extends FaultName = FaultName> = z.output<(typeof FAULTS)[N]["value"]>;

/** One fault with what it was told. */
export type FaultOf<N extends FaultName> = { [K in N]: { readonly fault: K; readonly value: FaultValue<K> } }[N];

export type FaultsOf<C extends Concern> = {
  [N in FaultName]: (typeof FAULTS)[N]["concern"] extends C ? N : never;
}[FaultName];

export function faultRow(name: FaultName): FaultRow {
  return FAULTS[name];
}
