import { given } from "@upkeep/shared/given";
import * as z from "zod";
import type { Contacts, DeviceInventory } from "../../domain.ts";
import { ContactShape, presentContact } from "./contact-shape.ts";
import { timestamp } from "./times.ts";

/** A device with what is known of it, as the management API shows it. */
export const InventoryShape = z.object({
  id: z.string(),
  attributes: z.array(
    z.object({
      name: z.string(),
      scope: z.string(),
      value: z.unknown(),
      description: z.string().optional(),
      /** Of tags only: when the tag last changed. */
      timestamp: z.string().optional(),
    }),
  ),
  updated_ts: z.string(),
  ...ContactShape,
});

/** @param contacts Tells the last contact of each device. */
export function presentInventory(contacts: Pick<Contacts, "of">) {
  return ({ id, attributes, updatedMs, record }: DeviceInventory): z.infer<typeof InventoryShape> => ({
    id,
    attributes: attributes.map(({ name, scope, value, description, updatedMs: changedMs }) => ({
      name,
      scope,
      value,
      ...given({ description }),
      ...(scope === "tags" ? { timestamp: timestamp(changedMs) } : {}),
    })),
    updated_ts: timestamp(updatedMs),
    ...presentContact(contacts.of(record)),
  });
}
