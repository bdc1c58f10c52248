import { given } from "@upkeep/shared/given";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain } from "../../domain.ts";
import { empty } from "../answers.ts";
import { type ApiRequest, type Route, route } from "../route.ts";
import { fields, ignored } from "../validation.ts";

const Tags = z.array(
  fields({
    name: z.string(),
    value: z.string(),
    description: optional(z.string()),
    timestamp: ignored("the server notes when the tag changes"),
  }),
);

/** The ETag that a change is bound to, without its quotation marks; `undefined`: none, or any. */
export function ifMatch({ headers }: ApiRequest): string | undefined {
  const given = headers["if-match"]?.trim();
  if (given === undefined || given === "" || given === "*") return undefined;
  return given.replace(/^(?:W\/)?"(.*)"$/, "$1");
}

/** Tags of devices. For a device that is not there nothing happens, as the reference has it. */
export function tagRoutes({ tags }: Domain): Route[] {
  const path = "/api/management/v1/inventory/devices/:id/tags";
  const change = (method: "PUT" | "PATCH", summary: string): Route =>
    route({
      method,
      path,
      summary,
      access: "user",
      params: z.object({ id: z.string() }),
      headers: ["If-Match"],
      body: { schema: Tags, tooLarge: 413 },
      answers: {
        200: { description: "They are on it; ETag tells their state", headers: ["ETag"] },
        412: { description: "The tags are not those of If-Match any more" },
      },
      handle: async ({ params, body, request }) => {
        const match = ifMatch(request);
        const how = { replace: method === "PUT", ...given({ ifMatch: match }) };
        const etag = await tags.put(params.id, body.map(given), how);
        return empty(200, etag === undefined ? {} : { etag });
      },
    });
  return [
    change("PUT", "Put these tags on a device, in place of those that it has"),
    change("PATCH", "Put these tags on a device, beside those that it has"),
  ];
}
