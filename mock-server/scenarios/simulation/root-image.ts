const WHOLE = "\nwhole\n";
const CARRIES = "carries=";
const CHECKSUM_LENGTH = 8;

/** A root file system as the simulation knows it. */
export interface RootImage {
  /** What runs when it is booted. */
  readonly software: string;
  /** False: it is written well, and crashes while it starts. */
  readonly boots?: boolean;
  /** What else it brings; has to be JSON. */
  readonly carries?: object;
  /** How large it is, about. */
  readonly sizeBytes?: number;
  /** The share that all such images have alike, from 0 to 1; nothing in them is repeated. Absent: one word, repeated. */
  readonly alike?: number;
  /** The share that was changed by hand afterwards, in pieces of 4 KiB. It needs `alike`. */
  readonly modified?: number;
}

/** Length of a piece that was changed by hand. */
const PIECE_BYTES = 4096;

/** The bytes of an image. Half of it, or half of one and half of another, is told from a whole one. */
export function rootImage({
  software,
  boots = true,
  carries,
  sizeBytes = 0,
  alike,
  modified = 0,
}: RootImage): Uint8Array {
  const extra = carries === undefined ? "" : `${CARRIES}${JSON.stringify(carries)}\n`;
  const head = `root image\nsoftware=${software}\nboots=${boots}\n${extra}`;
  const room = Math.max(sizeBytes - head.length, 0);
  const common = Math.round(room * (alike ?? 0));
  const filling =
    alike === undefined
      ? `${software} `.repeat(Math.ceil(room / (software.length + 1)))
      : modifiedByHand(`${lettersOf("alike", common)}${lettersOf(software, room - common)}`, modified);
  const text = `${head}${filling}`;
  return new TextEncoder().encode(`${text}${checksum(text)}${WHOLE}`);
}

/** Replaces this share of the filling by other letters. */
function modifiedByHand(filling: string, share: number): string {
  if (share === 0) return filling;
  const parts: string[] = [];
  const strideBytes = Math.round(PIECE_BYTES / share);
  for (let offset = 0; offset < filling.length; offset += strideBytes) {
    const piece = lettersOf(`by hand ${offset}`, Math.min(PIECE_BYTES, filling.length - offset));
    parts.push(piece, filling.slice(offset + PIECE_BYTES, offset + strideBytes));
  }
  return parts.join("");
}

/** Bytes to write at a place. */
export interface ImagePart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes that change an image and leave it whole, as those of a mounted file system do: a piece of its filling, and the
 * checksum.
 * @param place Where in the filling, from 0 up to 1.
 * @returns Nothing if the image is not whole, or has no room for the piece.
 */
export function changesOf(image: Uint8Array, pieceBytes: number, place: number): readonly ImagePart[] {
  if (readRootImage(image) === undefined) return [];
  const text = Buffer.from(image).toString("latin1");
  const end = text.indexOf(WHOLE) - CHECKSUM_LENGTH;
  const lines = text.slice(0, end).split("\n", 5);
  const head = lines.slice(0, lines[3]?.startsWith(CARRIES) ? 4 : 3).join("\n").length + 1;
  const room = end - head - pieceBytes;
  if (room < 0) return [];
  const offset = head + Math.floor(place * room);
  const piece = lettersOf(`written at ${place}`, pieceBytes);
  const sum = checksum(`${text.slice(0, offset)}${piece}${text.slice(offset + pieceBytes, end)}`);
  return [
    { offset, bytes: Buffer.from(piece) },
    { offset: end, bytes: Buffer.from(sum) },
  ];
}

/** Letters in which nothing is repeated: the first `count` that follow from a seed. */
function lettersOf(seed: string, count: number): string {
  const letters = new Uint8Array(count);
  let state = Number.parseInt(checksum(seed), 16) | 1;
  for (let index = 0; index < count; index++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    letters[index] = 97 + ((state >>> 8) & 15);
  }
  return Buffer.from(letters).toString("latin1");
}

function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

export interface WholeImage extends Required<Pick<RootImage, "software" | "boots">> {
  readonly carries: unknown;
}

/** What a slot holds, if it is whole. What is behind the image is left over from larger ones. */
export function readRootImage(bytes: Uint8Array): WholeImage | undefined {
  const text = new TextDecoder().decode(bytes);
  const end = text.indexOf(WHOLE);
  const body = text.slice(0, Math.max(end - CHECKSUM_LENGTH, 0));
  if (end < 0 || checksum(body) !== text.slice(end - CHECKSUM_LENGTH, end)) return undefined;
  const [title, software, boots, extra = ""] = body.split("\n", 4);
  if (title !== "root image" || software === undefined) return undefined;
  const carries: unknown = extra.startsWith(CARRIES) ? JSON.parse(extra.slice(CARRIES.length)) : undefined;
  return { software: software.slice("software=".length), boots: boots === "boots=true", carries };
}
