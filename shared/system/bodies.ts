import { SystemError } from "./errors.ts";
import type { HttpBody } from "./network.ts";

/**
 * The whole content of a small body.
 * @throws SystemError with code EMSGSIZE if it is larger than `limitBytes`.
 */
export async function collectBody(body: HttpBody, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of body) {
    total += chunk.length;
    if (total > limitBytes) throw new SystemError("EMSGSIZE", `the answer is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** {@link collectBody}, as UTF-8 text. */
export async function collectText(body: HttpBody, limitBytes: number): Promise<string> {
  return (await collectBody(body, limitBytes)).toString("utf8");
}
