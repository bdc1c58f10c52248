import { invalid } from "../../errors.ts";
import { boundaryOf, type Part, readParts, readTextPart } from "../../releases/multipart.ts";
import { expectUpload } from "../../system/body-pace.ts";
import { HttpError } from "../errors.ts";
import type { ApiRequest } from "../route.ts";

const TEXT_BYTES_MAX = 1024 * 1024;
const SIZE_CHARACTERS_MAX = 20;

/** @throws DomainError (invalid) @returns `undefined` for 0, which stands for a size that the sender does not know. */
export function parseSize(text: string): number | undefined {
  if (!/^\d+$/.test(text) || text.length > SIZE_CHARACTERS_MAX || !Number.isSafeInteger(Number(text))) {
    throw invalid(`size: must be a whole number of bytes (got ${JSON.stringify(text.slice(0, 80))})`);
  }
  return Number(text) === 0 ? undefined : Number(text);
}

/** What the parts of a request are to be used for. */
export interface PartsSpec<T> {
  /** Parts of text that count; others are skipped. */
  readonly texts: readonly string[];
  /** The part that is read as it arrives; what comes behind it is not looked at. */
  readonly file: string;
  /** Told if there is no such part. */
  readonly missing: string;
  readonly take: (texts: ReadonlyMap<string, string>, file: Part) => Promise<T>;
}

/** Read the parts of a request in their order, up to the file. @throws DomainError (invalid); HttpError (415) */
export async function withParts<T>(request: ApiRequest, spec: PartsSpec<T>): Promise<T> {
  const boundary = boundaryOf(request.headers["content-type"]);
  if (boundary === undefined) {
    throw new HttpError(415, "Bad Content-Type, expected 'multipart/form-data' or 'multipart/mixed'");
  }
  expectUpload(request.raw);
  try {
    return await readUpTo(request, boundary, spec);
  } finally {
    // Some clients read no answer before they have sent everything; drop what still comes.
    request.raw.resume();
  }
}

async function readUpTo<T>(
  { raw }: ApiRequest,
  boundary: string,
  { texts, file, missing, take }: PartsSpec<T>,
): Promise<T> {
  const read = new Map<string, string>();
  for await (const part of readParts(raw.iterator({ destroyOnReturn: false }), boundary)) {
    if (part.name === file) return await take(read, part);
    if (!texts.includes(part.name)) continue;
    const text = await readTextPart(part, TEXT_BYTES_MAX);
    if (text.includes("\0")) throw invalid(`${part.name}: has a NUL character`);
    read.set(part.name, text);
  }
  throw invalid(missing);
}
