import * as z from "zod";
import { FAULT_NAMES, FAULTS, type FaultName, type FaultOf } from "./catalogue.ts";
import { Instant } from "./language/instants.ts";
import { AgentState, DeviceStatus } from "./language/names.ts";
import { exactlyOne, presentKeys } from "./language/one-of.ts";
import { Count, CountFromZero, Name, Probability, YesNo } from "./language/quantities.ts";
import { REQUEST_KINDS } from "./language/request-kinds.ts";

const KINDS_HINT = `any, or one or a list of ${REQUEST_KINDS.join(", ")}`;
const RequestKinds = z
  .union([z.literal("any"), z.enum(REQUEST_KINDS), z.array(z.enum(REQUEST_KINDS)).min(1)], { error: KINDS_HINT })
  .transform((value) => (value === "any" ? undefined : Array.isArray(value) ? value : [value]));

const NAMES_HINT = "the name of a release, or a list of them";
const Names = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)], { error: NAMES_HINT })
  .transform((value) => (Array.isArray(value) ? value : [value]));

/** When and which devices a fault hits: keys that all faults have. */
const selectors = {
  name: Name.optional().meta({ description: "For start_fault and stop_fault" }),
  on: YesNo.default(true).meta({ description: "no: until start_fault names it" }),
  devices: z
    .array(z.string({ error: "a device's name" }).min(1))
    .min(1)
    .optional()
    .meta({ description: "Only these, by their names, rows of the fleet or groups; all if absent" }),
  to: RequestKinds.optional().meta({ description: `Only requests of this kind: ${KINDS_HINT}` }),
  while: z
    .union([AgentState, z.array(AgentState).min(1)], { error: "a state of an update, or a list of them" })
    .transform((value) => (Array.isArray(value) ? value : [value]))
    .optional()
    .meta({ description: "Only while the agent is in this state, or one of these" }),
  during: z
    .union([DeviceStatus, z.array(DeviceStatus).min(1)], {
      error: "a status of a device deployment, or a list of them",
    })
    .transform((value) => (Array.isArray(value) ? value : [value]))
    .optional()
    .meta({ description: "Only while the device's deployment has this status at the server, or one of these" }),
  runs: Names.optional().meta({ description: "Only while this software runs on the device, or one of these" }),
  release: Names.optional().meta({
    description: "Only while the deployment that the device last took part in is one of this release, or of these",
  }),
  from: Instant.optional(),
  until: Instant.optional(),
  nth: Count.optional().meta({ description: "Only at its nth occasion (for each device); in place of skip and count" }),
  skip: CountFromZero.optional().meta({ description: "Occasions (for each device) that pass before it happens" }),
  count: Count.optional().meta({ description: "How often it happens (for each device)" }),
  probability: Probability.optional().meta({ description: "From 0 to 1; the seed decides" }),
};

/** All keys of a fault. */
export const faultShape = {
  ...(Object.fromEntries(
    Object.entries(FAULTS).map(([name, { value, meaning }]) => [name, value.optional().meta({ description: meaning })]),
  ) as unknown as { [N in FaultName]: z.ZodOptional<(typeof FAULTS)[N]["value"]> }),
  ...selectors,
};
type FaultKeys = z.output<z.ZodObject<typeof faultShape>>;

/** Checks between the keys of a fault. */
export function checkFault(value: FaultKeys, context: z.core.$RefinementCtx<FaultKeys>): void {
  exactlyOne<FaultKeys>(FAULT_NAMES)(value, context);
  const others = presentKeys(value, ["skip", "count"]);
  if (value.nth === undefined || others.length === 0) return;
  const message = `nth without ${others.join(" and ")}: the nth occasion is one`;
  context.addIssue({ code: "custom", message, params: { expected: true }, path: ["nth"], input: value });
}

/** What a fault is, apart from its conditions. */
export function faultOf<T extends FaultKeys>(keys: T) {
  const { name, on, devices, to, while: whileIn, during, runs, release, from, until, nth, ...rest } = keys;
  const { skip, count, probability } = rest;
  const values: Readonly<Partial<Record<FaultName, unknown>>> = rest;
  const [fault = "link_down"] = presentKeys(values, FAULT_NAMES);
  return {
    what: { fault, value: values[fault] } as FaultOf<FaultName>,
    name,
    on,
    devices,
    to,
    while: whileIn,
    during,
    runs,
    release,
    from,
    until,
    skip: nth === undefined ? skip : nth - 1,
    count: nth === undefined ? count : 1,
    probability,
  };
}

export const Fault = z.strictObject(faultShape).superRefine(checkFault).transform(faultOf);
/** A fault of the file: what it is, and whom it hits when. */
export type Fault = z.output<typeof Fault>;
