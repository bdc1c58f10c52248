import type { Route } from "../../../../mock-server/api/route.ts";
import { allRoutes } from "../../../../mock-server/api/routes.ts";
import { DEFAULT_OPTIONS } from "../../../../mock-server/index.ts";
import { openSystem } from "../../../../mock-server/system/index.ts";
import type { TestServer } from "../fixture.ts";

/** Every route of a server, to be looked at. */
export function routesOf({ domain }: TestServer): readonly Route[] {
  // Routes are only looked at, not called: they need nothing that they would work with.
  const nothing = undefined as never;
  return allRoutes({
    domain,
    system: openSystem(),
    blobs: nothing,
    links: nothing,
    options: DEFAULT_OPTIONS,
    sessionCookie: nothing,
    metrics: nothing,
    feed: nothing,
    logger: nothing,
  });
}
