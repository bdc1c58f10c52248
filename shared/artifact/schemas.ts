import * as z from "zod/mini";

const mustBeText = "must be a non-empty text";
const text = z.string(mustBeText).check(z.minLength(1, mustBeText));
const texts = z.array(text, "must be a list of texts");
const object = "must be an object";

/** A payload type names a program in the directory of update modules, and must not lead out of it. */
const payloadType = z
  .string("must be a non-empty text or null")
  .check(z.regex(/^(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u, "must be the name of an update module, without directories"));

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
    artifact_provides: z.object(
      { artifact_name: text, artifact_group: z.optional(z.string("must be a text")) },
      object,
    ),
    artifact_depends: z.object(
      {
        device_type: texts.check(z.minLength(1, "must name at least one device type")),
        artifact_name: z.optional(texts),
        artifact_group: z.optional(texts),
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
    artifact_provides: z.optional(z.record(z.string(), z.string("must be a text"), "must be an object of texts")),
    artifact_depends: z.optional(
      z.record(
        z.string(),
        z.union([z.string(), z.array(z.string())], "must be a text or a list of texts"),
        "must be an object of texts or lists of texts",
      ),
    ),
    clears_artifact_provides: z.optional(z.array(z.string("must be a text"), "must be a list of texts")),
  },
  object,
);

/** The file `header-info` of header-augment.tar. An empty type overrides nothing. */
export const AugmentedHeaderInfo = z.object(
  {
    payloads: z.array(z.object({ type: z.union([z.literal(""), payloadType]) }, object), "must be a list of payloads"),
    artifact_provides: z.optional(
      z.object({ artifact_name: z.optional(text), artifact_group: z.optional(z.string("must be a text")) }, object),
    ),
    artifact_depends: z.optional(
      z.object(
        { device_type: z.optional(texts), artifact_name: z.optional(texts), artifact_group: z.optional(texts) },
        object,
      ),
    ),
  },
  object,
);

/** The file `meta-data`. */
export const MetaData = z.record(z.string(), z.unknown(), "must be an object");
