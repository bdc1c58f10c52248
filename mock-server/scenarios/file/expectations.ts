import { DEVICE_DEPLOYMENT_STATUSES, recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { Instant } from "../../faults/language/instants.ts";
import { DeviceStatus, MODULE_CALLS } from "../../faults/language/names.ts";
import { exactlyOne, presentKeys } from "../../faults/language/one-of.ts";
import { CountFromZero, Duration, Size } from "../../faults/language/quantities.ts";
import { DeploymentState, EVENT_NAMES, eventShape, nth } from "./triggers.ts";

/** Counted events of a device. */
export const COUNTED = [
  "polls",
  "boots",
  "logins",
  "downloads",
  "status_reports",
  "inventories",
  "logs_sent",
  ...MODULE_CALLS,
] as const;
export type Counted = (typeof COUNTED)[number];

const SOME_BOUND = { error: "at least one of at_least, at_most, and at_least more than 0" };

/** False if every count is within these bounds. */
function bounds({ at_least = 0, at_most }: { at_least?: number | undefined; at_most?: number | undefined }): boolean {
  return at_least > 0 || at_most !== undefined;
}

const Bounds = z
  .union([
    CountFromZero.transform((count) => ({ at_least: count, at_most: count })),
    z
      .strictObject({ at_least: CountFromZero.optional(), at_most: CountFromZero.optional() })
      .refine(bounds, SOME_BOUND),
  ])
  .meta({ description: "A number, or { at_least: …, at_most: … }" });

const SizeBounds = z.union([
  Size.transform((size) => ({ at_least: size, at_most: size })),
  z.strictObject({ at_least: Size.optional(), at_most: Size.optional() }).refine(bounds, SOME_BOUND),
]);

/** What may be counted per time: requests of every kind, or of one, or bytes of artifacts. */
const RATED_REQUESTS = [
  "requests",
  "polls",
  "logins",
  "downloads",
  "status_reports",
  "inventories",
  "logs_sent",
] as const;
const RATED = [...RATED_REQUESTS, "bytes"] as const;
export type Rated = (typeof RATED)[number];

const windowLength = Duration.meta({ description: "In any time of this length" });
const Rate = z
  .union([
    z.strictObject({
      of: z.literal("bytes", { error: `one of ${RATED.join(", ")}` }),
      at_most: Size,
      in: windowLength,
    }),
    z.strictObject({
      of: z.enum(RATED_REQUESTS, { error: `one of ${RATED.join(", ")}` }),
      at_most: CountFromZero,
      in: windowLength,
    }),
  ])
  .meta({
    description:
      "The most requests of devices, answered or not, or the most bytes of artifacts, in any time of a length: { of: polls, at_most: 30, in: 1m }. Without device or each: of all devices together",
  });
export type Rate = z.output<typeof Rate>;

/** Expectations about a device at the end; several may be combined. */
const deviceFacts = {
  statuses: z.array(DeviceStatus).optional().meta({
    description:
      "What its deployment's status was at the server, in order; each told once, however often it was reported",
  }),
  status: DeviceStatus.optional().meta({ description: "The status that its deployment has at the end" }),
  provides: z
    .optional(
      recordOf(z.union([z.string(), z.null()])).check(
        z.refine((value) => Object.keys(value).length > 0, { error: "what it provides, by name" }),
      ),
    )
    .meta({ description: "What it provides at the end; null: does not provide" }),
  counts: z
    .partialRecord(z.enum(COUNTED, { error: `one of ${COUNTED.join(", ")}` }), Bounds)
    .refine((value) => Object.keys(value).length > 0, { error: `what is counted: one of ${COUNTED.join(", ")}` })
    .optional()
    .meta({
      description: "How often it did something",
    }),
  received: SizeBounds.optional().meta({ description: "How much of artifacts it received in all, over the network" }),
  log: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .meta({
      description: "The log of the deployment that it sent has these texts",
    }),
};

const deploymentFacts = {
  statistics: z
    .partialRecord(z.enum(DEVICE_DEPLOYMENT_STATUSES), CountFromZero)
    .optional()
    .meta({ description: "How many devices have which status at the end; those that are not named: 0" }),
  state: DeploymentState.optional().meta({ description: "Its status at the end; paused: it is paused at the end" }),
  devices: CountFromZero.optional().meta({ description: "How many devices it has at the end" }),
};

const window = {
  after: Instant.optional(),
  before: Instant.optional(),
};

const each = z.string().min(1).optional().meta({
  description: "In place of device: each device of this row of the fleet, or of this group; all: every device",
});

/** Something that must never happen, or not in this time. */
const Never = z.strictObject({ ...eventShape, nth, each, ...window }).superRefine(exactlyOne(EVENT_NAMES));
export type Never = z.output<typeof Never>;

/** Expectations about the end, not about an event. */
export const DEVICE_FACTS: readonly string[] = Object.keys(deviceFacts);
const FACTS = [...Object.keys(deviceFacts), ...Object.keys(deploymentFacts)];
const EVENTS = EVENT_NAMES.filter((name) => name !== "state");

/** The keys that may stand beside a rate. */
const RATE_KEYS: readonly string[] = ["rate", "device", "each", "after", "before"];

/** Keys that are about one event. */
export const TIMED: readonly string[] = ["within", "after", "before", "nth"];

/** The event that a time limit, or a number, concerns. `runs` is a fact of the end where there is another event. */
export function timedEvents(value: Readonly<Record<string, unknown>>): readonly string[] {
  const events = presentKeys(value, EVENT_NAMES);
  const others = events.filter((name) => name !== "runs");
  return others.length > 0 ? others : events;
}

export const Expectation = z
  .strictObject({
    never: Never.optional().meta({ description: "This must not happen" }),
    ...eventShape,
    nth,
    each,
    ...deviceFacts,
    ...deploymentFacts,
    rate: Rate.optional(),
    within: Duration.optional().meta({ description: "Not later than this time after the start" }),
    after: window.after.meta({ description: "Not before this" }),
    before: window.before.meta({ description: "Before this" }),
  })
  .superRefine((value, context) => {
    const issue = (message: string): void =>
      context.addIssue({ code: "custom", message, params: { expected: true }, input: value });
    if (value.never !== undefined) {
      const others = Object.entries(value).filter(([name, held]) => name !== "never" && held !== undefined);
      if (others.length > 0) issue(`never alone, not with ${others.map(([name]) => name).join(", ")}`);
      return;
    }
    if (value.rate !== undefined) {
      const others = Object.entries(value).filter(([name, held]) => !RATE_KEYS.includes(name) && held !== undefined);
      if (others.length > 0)
        issue(`rate in an expectation of its own, not with ${others.map(([name]) => name).join(", ")}`);
      if (value.device !== undefined && value.each !== undefined) issue("only one of device, each at a time");
      return;
    }
    const said = presentKeys(value, [...FACTS, ...EVENTS]);
    if (said.length === 0)
      issue(`what is expected: one of never, rate, ${[...new Set([...EVENTS, ...FACTS])].join(", ")}`);
    const about = presentKeys(value, ["device", "each"]);
    if (about.length === 2) issue("only one of device, each at a time");
    if (about.length === 0 && value.deployment === undefined) issue("whom it is about: device, each or deployment");
    const ofDevice = presentKeys(value, [...Object.keys(deviceFacts), ...EVENTS]);
    if (about.length === 0 && ofDevice.length > 0) issue(`device or each, which ${ofDevice.join(", ")} is about`);
    if (about.length === 1 && ofDevice.length === 0 && said.length > 0)
      issue(`no ${about[0]}, which ${said.join(", ")} is not about`);
    const ofDeployment = presentKeys(value, Object.keys(deploymentFacts));
    if (value.deployment === undefined && ofDeployment.length > 0)
      issue(`deployment, which ${ofDeployment.join(", ")} is about`);
    if (value.each !== undefined && ofDeployment.length > 0)
      issue(`${ofDeployment.join(", ")} in an expectation of its own, without each`);
    const timed = presentKeys(value, TIMED);
    if (timed.length > 0 && timedEvents(value).length !== 1)
      issue(`one event (${EVENT_NAMES.join(", ")}), for ${timed.join(" and ")} to be about`);
    if (value.within !== undefined && value.before !== undefined) issue("at most one of within, before");
  });
export type Expectation = z.output<typeof Expectation>;
