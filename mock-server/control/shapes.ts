import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { timestamp } from "../api/management/times.ts";
import { REQUEST_KINDS } from "../faults/language/request-kinds.ts";
import type { SeenRequest } from "./requests.ts";

export const SnapshotName = z.object({ name: z.string() });

export const ClockShape = z.object({ now: z.string(), frozen: z.boolean() });

export const SwitchedFaultShape = z.object({
  id: z.int(),
  fault: recordOf(z.unknown()),
  happened: z.int(),
});

export const SeenRequestShape = z.object({
  number: z.int(),
  at: z.string(),
  kind: z.enum(REQUEST_KINDS),
  method: z.string(),
  path: z.string(),
  device: z.string().optional(),
  reported: z.string().optional(),
  status: z.int().optional(),
});

export function seenRequest({ atMs, ...rest }: SeenRequest): z.infer<typeof SeenRequestShape> {
  return { ...rest, at: timestamp(atMs) };
}
