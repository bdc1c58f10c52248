/** Bytes that do not compress, the same for the same seed (xorshift32). */
export function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed ^ 0x9e3779b9) | 1;
  for (let offset = 0; offset < length; offset += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[offset] = state >>> 11;
  }
  return bytes;
}
