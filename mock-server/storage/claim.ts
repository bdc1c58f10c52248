import { type Files, readTextFile, replaceFile } from "@upkeep/shared/system";
import * as z from "zod";
import { sha256 } from "../digest.ts";
import { DataDirectoryError } from "./data-directory-error.ts";

/** Says to which records a data directory belongs. */
export const CLAIM_FILE = "claim.json";
const CLAIM_BYTES_MAX = 64 * 1024;

const ENGINES = ["sqlite", "postgres"] as const;
/** What keeps the records. */
export type Engine = (typeof ENGINES)[number];

const ClaimContent = z.object({
  version: z.literal(1),
  /** See `identityOfRecords`. */
  records: z.string().regex(/^[0-9a-f]{64}$/),
  engine: z.enum(ENGINES),
});

export type Claim = Pick<z.infer<typeof ClaimContent>, "records" | "engine">;

/** @throws DataDirectoryError if there is a claim that cannot be read. */
export async function readClaim(files: Files, directory: string): Promise<Claim | undefined> {
  const path = `${directory}/${CLAIM_FILE}`;
  const text = await readTextFile(files, path, CLAIM_BYTES_MAX);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new DataDirectoryError(`${path}: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = ClaimContent.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new DataDirectoryError(`${path}: ${issue?.path.join(".")}: ${issue?.message}`);
}

export async function writeClaim(files: Files, directory: string, { records, engine }: Claim): Promise<void> {
  const content = { version: 1, records, engine } satisfies z.infer<typeof ClaimContent>;
  await replaceFile(files, `${directory}/${CLAIM_FILE}`, `${JSON.stringify(content)}\n`, 0o600);
}

/** Names a set of records, also after a backup was restored or the records were moved; tells nothing of their keys. */
export function identityOfRecords({ linkSecret }: { readonly linkSecret: Uint8Array }): string {
  return sha256(`blobs ${Buffer.from(linkSecret).toString("hex")}`);
}
