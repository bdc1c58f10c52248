import * as z from "zod";
import type { AnswerChange, ArtifactDefect } from "./effects/exchange.ts";
import { served, withBit, withObject } from "./effects/objects.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { DOWNLOADS } from "./language/request-kinds.ts";

/** Damage to the bytes of an artifact; the other defects it must be made with. */
const DAMAGE: Readonly<Record<"corrupted" | "truncated", AnswerChange>> = {
  corrupted: withObject({ sizeBytes: (sizeBytes) => sizeBytes, bytes: corrupted }),
  truncated: withObject({ sizeBytes: (sizeBytes) => Math.ceil(sizeBytes * 0.8), bytes: (chunk) => chunk }),
};

/** What the device gets in place of an artifact that is as it should be. */
export const BAD_ARTIFACTS = [
  "corrupted",
  "truncated",
  "wrong_signature",
  "unsigned",
  "wrong_device_type",
  "missing_module",
] as const;

const UPLOAD_IT = "upload such an artifact, and deploy it";

export const badArtifact = defineFault("exchange", {
  meaning: "The device gets an artifact with this defect.",
  value: z.enum(BAD_ARTIFACTS, { error: `one of ${BAD_ARTIFACTS.join(", ")}` }),
  where: EVERYWHERE,
  limits: BAD_ARTIFACTS.filter((defect) => !isDamage(defect)).map((defect) => ({
    what: `bad_artifact: ${defect}`,
    of: (value) => value === defect,
    reasons: { control: UPLOAD_IT },
  })),
  requests: DOWNLOADS,
  effect: (defect, { artifactWith }) => {
    if (isDamage(defect)) return { answer: DAMAGE[defect] };
    return {
      answer: async (request, ask) => {
        const bytes = await artifactWith(request.url, defect);
        return bytes === undefined ? await ask(request) : served(bytes, `"${defect}"`, request);
      },
    };
  },
});

function isDamage(defect: keyof typeof DAMAGE | ArtifactDefect): defect is keyof typeof DAMAGE {
  return defect in DAMAGE;
}

/** One bit in the middle, which is in the payload: its checksum tells. */
function corrupted(chunk: Uint8Array, offset: number, sizeBytes: number): Uint8Array {
  return withBit(chunk, Math.floor(sizeBytes / 2) - offset);
}
