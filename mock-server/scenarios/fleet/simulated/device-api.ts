import { noopLogger } from "@upkeep/shared/logging";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import type { HttpRequest, HttpResponse, Network } from "@upkeep/shared/system";
import type { Answer } from "../../../api/answers.ts";
import { authorizeRoutes } from "../../../api/devices/authorize.ts";
import { deviceDeploymentRoutes } from "../../../api/devices/deployments.ts";
import { deviceInventoryRoutes } from "../../../api/devices/inventory.ts";
import { domainRefusal } from "../../../api/domain-refusals.ts";
import { downloadRoutes } from "../../../api/download.ts";
import { type ApiRequest, jsonBody, type Route } from "../../../api/route.ts";
import { validated } from "../../../api/validation.ts";
import type { Domain } from "../../../domain.ts";
import { DomainError, notFound } from "../../../errors.ts";
import { DownloadLinks } from "../../../releases/links.ts";
import type { Blobs } from "../../../storage/blobs/index.ts";
import type { VirtualTime } from "../../simulation/virtual-time.ts";

const ORIGIN = "http://server.example.com";
const LINK_LIFE_MS = 86_400_000;
const EMPTY = Buffer.alloc(0);

/** The server's URL for simulated devices. */
export const SIMULATED_SERVER = ORIGIN;

/** A route whose path has parameters. */
interface ServedRoute {
  readonly route: Route;
  readonly pattern: RegExp;
  /** Names of the parameters, in the order of the pattern's groups. */
  readonly names: readonly string[];
}

/** A route's handler without its types, which are checked where the route is defined. */
type Handle = (call: unknown) => Answer | Promise<Answer>;

const PARAMETER = /:([A-Za-z]+)/g;

function served(route: Route): ServedRoute {
  const pattern = new RegExp(`^${route.path.replace(/[.]/g, "\\.").replace(PARAMETER, "([^/]+)")}$`);
  return { route, pattern, names: [...route.path.matchAll(PARAMETER)].map(([, name = ""]) => name) };
}

const BEARER = "Bearer ";

function tokenOf(authorization = ""): string {
  return authorization.startsWith(BEARER) ? authorization.slice(BEARER.length) : "";
}

/**
 * The routes of the device API over the real domain, called as functions: a web framework costs more per request than
 * the answer.
 */
export class DeviceApi implements Network {
  readonly #domain: Domain;
  readonly #time: VirtualTime;
  readonly #exact = new Map<string, Route>();
  readonly #patterns: ServedRoute[] = [];

  constructor(domain: Domain, blobs: Blobs, time: VirtualTime, now: () => number) {
    this.#domain = domain;
    this.#time = time;
    const links = new DownloadLinks(domain.linkSecret, now);
    const routes = [
      ...authorizeRoutes(domain),
      ...deviceDeploymentRoutes({ domain, links, blobs, linkLifeMs: LINK_LIFE_MS }),
      ...deviceInventoryRoutes(domain),
      ...downloadRoutes({
        links,
        blobs,
        artifact: (id) => domain.artifacts.get(id),
        index: () => Promise.resolve(undefined),
        signs: { clock: { now, monotonic: now }, logger: noopLogger, touch: (id) => domain.deviceSide.touch(id) },
      }),
    ];
    for (const route of routes) {
      if (route.path.includes(":")) this.#patterns.push(served(route));
      else this.#exact.set(`${route.method} ${route.path}`, route);
    }
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    return responseOf(await this.#time.hold(this.#answer(request)));
  }

  async #answer(request: HttpRequest): Promise<Answer> {
    try {
      return await this.#pass(request);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      const { status, message } = domainRefusal(error);
      // As on the server: a 401 to a device has no body, except for an authorisation request.
      if (status === 401 && !request.url.endsWith(DEVICE_PATHS.authRequests)) return { status: 401 };
      return { status, body: { json: { error: message } } };
    }
  }

  async #pass({ method, url, headers = {}, body }: HttpRequest): Promise<Answer> {
    const target = url.slice(ORIGIN.length);
    const [path = "", query = ""] = target.split("?", 2);
    const { route, params } = this.#find(method, path);
    const token = tokenOf(headers.authorization);
    const { authentication } = this.#domain;
    const caller =
      route.access === "device"
        ? (authentication.verifySync(token) ?? (await authentication.verify(token)))
        : undefined;
    const request = { id: "", method, url: target, headers, startedMs: 0 } as ApiRequest;
    const json = jsonBody(route);
    const handle: Handle = route.handle as Handle;
    return await handle({
      caller,
      params: route.params === undefined ? {} : validated(route.params, params),
      query: route.query === undefined ? {} : validated(route.query, Object.fromEntries(new URLSearchParams(query))),
      body:
        json !== undefined && json.unchecked !== true
          ? validated(json.schema, JSON.parse(typeof body === "string" ? body : rawBody(body).toString("utf8")))
          : undefined,
      get rawBody() {
        return rawBody(body);
      },
      request,
      client: { address: "", prefix: "", baseUrl: ORIGIN },
      baseUrl: ORIGIN,
    });
  }

  #find(method: string, path: string): { readonly route: Route; readonly params: unknown } {
    const exact = this.#exact.get(`${method} ${path}`);
    if (exact !== undefined) return { route: exact, params: {} };
    for (const { route, pattern, names } of this.#patterns) {
      if (route.method !== method) continue;
      const match = pattern.exec(path);
      if (match) return { route, params: Object.fromEntries(names.map((name, at) => [name, match[at + 1]])) };
    }
    throw notFound();
  }
}

function rawBody(body: HttpRequest["body"]): Buffer {
  return body === undefined ? EMPTY : Buffer.from(body);
}

function responseOf({ status, headers = {}, body }: Answer): HttpResponse {
  const stream = body !== undefined && "stream" in body ? body.stream : undefined;
  return {
    status,
    headers,
    body: stream ?? wholeBody(body),
    cancel: () => {
      stream?.destroy();
    },
  };
}

async function* wholeBody(body: Answer["body"]): AsyncGenerator<Uint8Array> {
  if (body === undefined || "stream" in body) return;
  if ("bytes" in body) yield body.bytes;
  else yield Buffer.from("text" in body ? body.text : JSON.stringify(body.json));
}
