import { given } from "@upkeep/shared/given";
import * as z from "zod";
import type { DeviceInventory } from "../../domain.ts";
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
});

export function presentInventory({ id, attributes, updatedMs }: DeviceInventory): z.infer<typeof InventoryShape> {
  return {
    id,
    attributes: attributes.map(({ name, scope, value, description, updatedMs: changedMs }) => ({
      name,
      scope,
      value,
      ...given({ description }),
      ...(scope === "tags" ? { timestamp: timestamp(changedMs) } : {}),
    })),
    updated_ts: timestamp(updatedMs),
  };
}
