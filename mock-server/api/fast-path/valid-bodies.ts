import type * as z from "zod";
import { DomainError } from "../../errors.ts";
import { parseDeviceJson } from "../bodies.ts";
import { validated } from "../validation.ts";

const REMEMBERED_MAX = 500;
const REMEMBERED_BYTES_MAX = 1024;

/** Tells whether bodies are valid. It remembers valid ones: the devices of a fleet send the same again and again. */
export class ValidBodies {
  readonly #schema: z.core.$ZodType;
  /** Bytes of valid bodies, oldest first. */
  readonly #remembered = new Set<string>();

  constructor(schema: z.core.$ZodType) {
    this.#schema = schema;
  }

  has(body: Buffer): boolean {
    if (body.length > REMEMBERED_BYTES_MAX) return this.#isValid(body);
    const bytes = body.toString("latin1");
    if (this.#remembered.has(bytes)) return true;
    if (!this.#isValid(body)) return false;
    if (this.#remembered.size >= REMEMBERED_MAX) {
      const [oldest] = this.#remembered;
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.add(bytes);
    return true;
  }

  #isValid(body: Buffer): boolean {
    try {
      validated(this.#schema, parseDeviceJson(body));
      return true;
    } catch (error) {
      if (error instanceof DomainError) return false;
      throw error;
    }
  }
}
