import * as z from "zod";
import { bearerToken } from "../api/authentication.ts";
import type { Device, Domain } from "../domain.ts";
import { DomainError } from "../errors.ts";
import type { RequestKind } from "../faults/language/request-kinds.ts";
import { LINK_PARAMETERS } from "../releases/links.ts";

/** The number of links that are kept; the oldest are dropped. */
const LINKS_MAX = 10_000;

const Instructions = z.object({ artifact: z.object({ source: z.object({ uri: z.string() }) }) });
const Claims = z.object({ sub: z.string() });
const AuthBody = z.object({ id_data: z.string() });

/** The path and the signed parameters of a link: they are unique to one device. */
function keyOf(url: string): string {
  const { pathname, searchParams } = new URL(url, "http://server");
  return [pathname, ...LINK_PARAMETERS.map((name) => searchParams.get(name) ?? "")].join(" ");
}

interface AskedRequest {
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, number | string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/** Tells which device sent a request, before the server has decided whether to answer it. */
export class Callers {
  readonly #domain: Domain;
  /** The device that got each download link. */
  readonly #links = new Map<string, Device>();

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  /** `undefined`: the request does not tell its device, or the device is unknown. */
  async of(kind: RequestKind, { url, headers, body }: AskedRequest): Promise<Device | undefined> {
    if (kind === "download") return this.#links.get(keyOf(url));
    if (kind === "auth") return await this.#ofIdentity(body);
    const { authorization } = headers;
    const token = bearerToken({ headers: typeof authorization === "string" ? { authorization } : {} });
    if (token === undefined) return undefined;
    // An expired token counts too: it decides which faults apply, not what the server answers.
    const claims = Claims.safeParse(jsonOf(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")));
    return claims.success ? await known(() => this.#domain.devices.get(claims.data.sub)) : undefined;
  }

  /** The device that a login request names. */
  async #ofIdentity(body: Buffer): Promise<Device | undefined> {
    const parsed = AuthBody.safeParse(jsonOf(body.toString("utf8")));
    if (!parsed.success) return undefined;
    return await known(() => this.#domain.devices.withIdentity(parsed.data.id_data));
  }

  /** Remembers the device that got a download link. @param answer The body of the answer to a poll. */
  handedOut(device: Device, answer: string): void {
    const parsed = Instructions.safeParse(jsonOf(answer));
    if (!parsed.success) return;
    this.#links.set(keyOf(parsed.data.artifact.source.uri), device);
    if (this.#links.size <= LINKS_MAX) return;
    const [oldest] = this.#links.keys();
    if (oldest !== undefined) this.#links.delete(oldest);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function known(find: () => Promise<Device | undefined>): Promise<Device | undefined> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}
