import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain, UserPrincipal } from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { ifMatch } from "./tags.ts";

const BASE = "/api/management/v1/useradm/settings";
const Settings = recordOf(z.unknown());

/** What programs keep for their users: any JSON object, for all together and for each. */
export function settingsRoutes({ users: { settings } }: Domain): Route[] {
  const pair = (path: string, whose: string, owner: (caller: UserPrincipal) => string | undefined): Route[] => {
    const own = path === BASE ? {} : ({ permission: "self" } as const);
    return [
      route({
        method: "GET",
        path,
        summary: `Show the settings ${whose}`,
        access: "user",
        ...own,
        answers: { 200: { description: "The settings; ETag tells their state", schema: Settings, headers: ["ETag"] } },
        handle: async ({ caller }) => {
          const { value, etag } = await settings.get(owner(caller));
          return json(value, { etag });
        },
      }),
      route({
        method: "POST",
        path,
        summary: `Put settings in place of those ${whose}`,
        access: "user",
        ...own,
        headers: ["If-Match"],
        body: { schema: Settings, tooLarge: 413 },
        answers: {
          201: { description: "Kept; ETag tells their state", headers: ["ETag"] },
          412: { description: "They are not those of If-Match any more" },
        },
        handle: async ({ caller, body, request }) =>
          empty(201, { etag: await settings.put(body, owner(caller), ifMatch(request)) }),
      }),
    ];
  };
  return [
    ...pair(BASE, "of all users together", () => undefined),
    ...pair(`${BASE}/me`, "of oneself", ({ userId }) => userId),
  ];
}
