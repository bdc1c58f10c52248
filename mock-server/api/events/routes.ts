import { Readable } from "node:stream";
import * as z from "zod";
import { type Domain, EVENT_KINDS } from "../../domain.ts";
import { type Route, route } from "../route.ts";
import { many, one } from "../validation.ts";
import type { EventFeed } from "./feed.ts";

const Position = one(
  z
    .string()
    .regex(/^\d{1,15}$/, "must be the number of an event")
    .transform(Number)
    .optional(),
);

/** Everything that changes, as it changes. */
export function eventRoutes(feed: EventFeed, { users }: Pick<Domain, "users">): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/management/v1/events",
      summary: "Follow everything that changes (Server-Sent Events); with Last-Event-ID from where one left off",
      access: "user",
      query: z.object({
        last_event_id: Position,
        kind: many(z.enum(EVENT_KINDS)).meta({ description: "Only events of these kinds; may be repeated" }),
      }),
      answers: {
        200: {
          description:
            "Events, until the session of the token ends or its user's role changes; data: {action, subject, related, status}. Event reset: events were missed " +
            "that are not kept any more; look at everything again",
          mediaType: "text/event-stream",
        },
      },
      handle: ({ query, request, caller }) => {
        const header = request.headers["last-event-id"];
        const lastSeen = typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : query.last_event_id;
        const listener = {
          gone: false,
          // Without logins there is no session that could end.
          isEntitled: async () => caller.sessionId === "" || (await users.isCurrent(caller)),
        };
        const leave = (): void => {
          listener.gone = true;
          feed.wake();
        };
        const stream = Readable.from(feed.listen(lastSeen, listener, query.kind), { objectMode: false });
        stream.once("close", leave);
        return {
          status: 200,
          headers: {
            "content-type": "text/event-stream",
            // A proxy in between must not hold events back.
            "x-accel-buffering": "no",
          },
          body: { stream },
        };
      },
    }),
  ];
}
