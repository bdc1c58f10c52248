import * as z from "zod/mini";
import type { Depends } from "../compatibility/index.ts";
import { dependsFault, optional, PROVIDES_LIMITS, providesFault, recordOf, textFault } from "../protocol/index.ts";

const mustBeText = "must be a non-empty text";
const object = "must be an object";

/** A zod check that reports the fault found by `faultOf`. */
function without<T>(faultOf: (value: T) => string | undefined) {
  return z.refine<T>((value) => faultOf(value) === undefined, {
    error: ({ input }) => faultOf(input as T) ?? "",
  });
}

const text = z.string("must be a text").check(without((value: string) => textFault(value)));
const name = z.string(mustBeText).check(
  z.minLength(1, mustBeText),
  without((value: string) => textFault(value)),
);
const names = z.array(name, "must be a list of texts");
const { deviceTypesMax, clearsMax } = PROVIDES_LIMITS;
const deviceTypes = names.check(z.maxLength(deviceTypesMax, `must have at most ${deviceTypesMax} entries`));

/** A payload type names a program in the directory of update modules, and must not lead out of it. */
const payloadType = z.string("must be a non-empty text or null").check(
  z.regex(/^(?!\.{1,2}$)[^/]{1,255}$/, "must be the name of an update module, without directories"),
  without((value: string) => textFault(value)),
);

/** The file `version`. */
export const VersionFile = z.object(
  { format: z.string("must be a text"), version: z.int("must be a whole number") },
  object,
);

/** The file `header-info`. */
export const HeaderInfo = z.object(
  {
    payloads: z
      .array(z.object({ type: z.nullable(payloadType) }, object), "must be a list of payloads")
      .check(z.minLength(1, "must have at least one payload")),
    artifact_provides: z.object({ artifact_name: name, artifact_group: optional(text) }, object),
    artifact_depends: z.object(
      {
        device_type: deviceTypes.check(z.minLength(1, "must name at least one device type")),
        artifact_name: optional(names),
        artifact_group: optional(names),
      },
      object,
    ),
  },
  object,
);

/** The file `type-info`. Some writers leave its `type` empty: header-info has it too. */
export const TypeInfoFile = z.object(
  {
    type: z.nullable(z.string("must be a text or null")),
    artifact_provides: optional(
      recordOf(z.string("must be a text"), "must be an object of texts").check(
        without((provides: Readonly<Record<string, string>>) => providesFault(provides)),
      ),
    ),
    artifact_depends: optional(
      recordOf(
        z.union([z.string(), z.array(z.string())], "must be a text or a list of texts"),
        "must be an object of texts or lists of texts",
      ).check(without((depends: Depends) => dependsFault(depends))),
    ),
    clears_artifact_provides: optional(
      z.array(text, "must be a list of texts").check(z.maxLength(clearsMax, `must have at most ${clearsMax} entries`)),
    ),
  },
  object,
);

/** The file `header-info` of header-augment.tar. An empty type overrides nothing. */
export const AugmentedHeaderInfo = z.object(
  {
    payloads: z.array(z.object({ type: z.union([z.literal(""), payloadType]) }, object), "must be a list of payloads"),
    artifact_provides: optional(z.object({ artifact_name: optional(name), artifact_group: optional(text) }, object)),
    artifact_depends: optional(
      z.object(
        { device_type: optional(deviceTypes), artifact_name: optional(names), artifact_group: optional(names) },
        object,
      ),
    ),
  },
  object,
);

/** The file `meta-data`. */
export const MetaData = recordOf(z.unknown(), "must be an object");
