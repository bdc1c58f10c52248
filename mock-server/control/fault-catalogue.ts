import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type JsonSchema, jsonSchema } from "../api/openapi/schemas.ts";
import { definitionOf, FAULT_NAMES, type FaultName } from "../faults/index.ts";

/** A fault that a running server can have. */
export interface OfferedFault {
  readonly name: FaultName;
  readonly meaning: string;
  /** JSON schema of its value. */
  readonly schema: JsonSchema;
}

export const OfferedFaultShape = z.object({
  name: z.string(),
  meaning: z.string(),
  schema: recordOf(z.unknown()),
});

/** The faults that happen to exchanges of devices with a running server; those inside of devices are left out. */
export function offeredFaults(): readonly OfferedFault[] {
  return FAULT_NAMES.flatMap((name) => {
    const { where, meaning, value } = definitionOf(name);
    return where.control === true ? [{ name, meaning, schema: jsonSchema(value, "input") }] : [];
  });
}
