import * as z from "zod";
import type { LastContact } from "../../domain.ts";
import { timestamp } from "./times.ts";

/** Fields of a device, beyond the reference. */
export const ContactShape = {
  last_contact_ts: z.string().optional().meta({ description: "The last contact of any kind" }),
  overdue: z
    .literal(true)
    .optional()
    .meta({ description: "The device is accepted, and its last contact was more than a day ago" }),
};

export function presentContact({ lastContactMs, overdue }: LastContact) {
  return {
    ...(lastContactMs === undefined ? {} : { last_contact_ts: timestamp(lastContactMs) }),
    ...(overdue ? { overdue } : {}),
  };
}
