import { ArtifactError } from "../errors.ts";
import { decodeText } from "./header.ts";

/** Attributes of an extended header (POSIX.1-2001), which apply to the next entry. */
export interface PaxAttributes {
  path?: string;
  sizeBytes?: number;
  modifiedSeconds?: number;
}

const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;

/** Decimal digits as an exact number. */
function decimalSize(value: string, where: string): number {
  const size = /^\d{1,20}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) {
    throw new ArtifactError(
      "size-absurd",
      `${where}: the size ${JSON.stringify(value.slice(0, 40))} is beyond all bounds`,
    );
  }
  return size;
}

function seconds(value: string, where: string): number {
  if (!/^-?\d{1,15}(\.\d{1,20})?$/.test(value)) {
    const shown = JSON.stringify(value.slice(0, 40));
    throw new ArtifactError("tar-malformed", `${where}: the modification time ${shown} is not a number`);
  }
  return Number(value);
}

/** Records of the form `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record. */
export function parsePax(data: Uint8Array, where: string): PaxAttributes {
  const attributes: PaxAttributes = {};
  const seen = new Set<string>();
  let rest = data;
  while (rest.length > 0) {
    const space = rest.indexOf(SPACE);
    const digits = space < 1 || space > 10 ? "" : Buffer.from(rest.subarray(0, space)).toString("latin1");
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const equals = rest.indexOf(EQUALS, space);
    if (length > rest.length || equals < 0 || equals <= space + 1 || equals >= length || rest[length - 1] !== NEWLINE) {
      throw new ArtifactError("tar-malformed", `${where}: a record of an extended tar header is malformed`);
    }
    const key = decodeText(rest.subarray(space + 1, equals), "key of an extended tar header", where);
    const value = rest.subarray(equals + 1, length - 1);
    rest = rest.subarray(length);
    if (key.startsWith("GNU.sparse.")) {
      throw new ArtifactError(
        "entry-is-sparse",
        `${where}: an entry is stored sparsely (${key}), which no artifact does`,
      );
    }
    if (key !== "path" && key !== "size" && key !== "mtime") continue;
    if (seen.has(key)) throw new ArtifactError("tar-malformed", `${where}: an extended tar header gives ${key} twice`);
    seen.add(key);
    const text = decodeText(value, key, where);
    if (key === "path") attributes.path = text;
    else if (key === "size") attributes.sizeBytes = decimalSize(text, where);
    else attributes.modifiedSeconds = seconds(text, where);
  }
  return attributes;
}
