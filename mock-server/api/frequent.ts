import type { Route } from "./route.ts";
import { RouteHandler, type RoutingPorts } from "./routing.ts";

/** Letters that a parameter in a path has. Whatever else there may be in one is the framework's. */
const PARAMETER = "([A-Za-z0-9-]{1,64})";
/** Bodies of other types, and of types that say more of themselves, are the framework's as well. */
const JSON_TYPE = "application/json";
/** And longer bodies: who sends one is to be asked for its token before it is read. */
const BODY_BYTES_MAX = 16_384;

/** A route, and how requests go through it. */
export interface Frequent {
  readonly route: Route;
  readonly handler: RouteHandler;
}

interface Pattern extends Frequent {
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

type Parameters = Readonly<Record<string, string | undefined>>;

const NO_PARAMETERS: Parameters = {};

/** Where a request goes. */
export interface Found {
  readonly entry: Frequent;
  /** What stands in the path. */
  readonly params: Parameters;
}

/** A request as far as it says where it goes. */
interface Head {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The routes that devices ask for all the time. */
export class FrequentRoutes {
  /** By method and path. */
  readonly #fixed = new Map<string, Frequent>();
  readonly #variable: readonly Pattern[];

  constructor(routes: readonly Route[], ports: RoutingPorts) {
    const entries = routes.filter(({ frequent }) => frequent === true).map((route) => patternOf(route, ports));
    this.#variable = entries.filter(({ names }) => names.length > 0);
    for (const one of entries) {
      if (one.names.length === 0) this.#fixed.set(`${one.route.method} ${one.route.path}`, one);
    }
  }

  /** @returns `undefined`: it is for none of them, or in any way unusual. */
  find({ method, url = "", headers }: Head): Found | undefined {
    if (headers["content-type"] !== JSON_TYPE || headers.expect !== undefined) return undefined;
    if (!(Number(headers["content-length"]) <= BODY_BYTES_MAX)) return undefined;
    const known = this.#fixed.get(`${method} ${url}`);
    if (known !== undefined) return { entry: known, params: NO_PARAMETERS };
    for (const entry of this.#variable) {
      if (entry.route.method !== method) continue;
      const found = entry.pattern.exec(url);
      if (found === null) continue;
      return { entry, params: Object.fromEntries(entry.names.map((name, index) => [name, found[index + 1]])) };
    }
    return undefined;
  }
}

function patternOf(route: Route, ports: RoutingPorts): Pattern {
  const names = [...route.path.matchAll(/:([A-Za-z]+)/g)].map(([, name = ""]) => name);
  const pattern = new RegExp(`^${route.path.replaceAll(".", "\\.").replace(/:[A-Za-z]+/g, PARAMETER)}$`);
  return { route, handler: new RouteHandler(route, ports), pattern, names };
}

export const NO_QUERY = {};
