import { given } from "@upkeep/shared/given";
import { timeMs } from "@upkeep/shared/protocol";
import { printable } from "@upkeep/shared/text";
import * as z from "zod";
import { type Domain, LOG_SEVERITIES, type LogPage } from "../../domain.ts";
import { json, text } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { one, Uuid } from "../validation.ts";
import { timestamp } from "./times.ts";

/** How many messages a page has unless the request says otherwise. */
const PAGE_DEFAULT = 500;

const LogShape = z.object({
  attempt: z.int(),
  attempts: z.array(z.int()).meta({ description: "Those that have a log" }),
  received: z.string().meta({ description: "When the server got it, by its own clock" }),
  total: z.int().meta({ description: "How many messages of the whole log the query selects" }),
  messages: z.array(
    z.object({
      number: z.int().meta({ description: "The place in the whole log, from 1" }),
      timestamp: z.string(),
      level: z.string(),
      message: z.string(),
    }),
  ),
  next: z.int().optional().meta({ description: "The value of after for the next page; absent on the last" }),
});

function presentLog({ attempt, attempts, receivedMs, total, messages, more }: LogPage): z.infer<typeof LogShape> {
  const last = messages.at(-1)?.number;
  return {
    attempt,
    attempts: [...attempts],
    received: timestamp(receivedMs),
    total,
    messages: messages.map(({ number, timestamp: at, level, message }) => ({
      number,
      timestamp: inUtc(at),
      level,
      message,
    })),
    ...(more && last !== undefined ? { next: last } : {}),
  };
}

/** A device's own notation of the time, in UTC; as it stands if it is no time after all. */
function inUtc(time: string): string {
  const ms = timeMs(time);
  return ms === undefined ? time : new Date(ms).toISOString();
}

function plainText({ messages }: LogPage): string {
  return messages.map((line) => `${printable(`${inUtc(line.timestamp)} ${line.level}: ${line.message}`)}\n`).join("");
}

function wholeNumber(pattern: RegExp, least: number) {
  return one(z.string().regex(pattern, `must be a whole number from ${least} on`).transform(Number).optional());
}

/** The logs that devices sent. */
export function deploymentLogRoutes({ insight }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/management/v1/deployments/deployments/:id/devices/:device/log",
      summary: "Read the log that a device sent, or a part of it: of its last attempt, or of another",
      access: "user",
      params: z.object({ id: Uuid, device: z.string() }),
      query: z.object({
        attempt: wholeNumber(/^[1-9]\d{0,5}$/, 1),
        format: one(z.enum(["text", "json"]).default("text")),
        level: one(z.enum(LOG_SEVERITIES).optional()).meta({ description: "The least severe level that is wanted" }),
        text: one(z.string().optional()).meta({ description: "A part of the message, in any case" }),
        after: wholeNumber(/^\d{1,9}$/, 0).meta({ description: "Only messages behind this number" }),
        limit: wholeNumber(/^[1-9]\d{0,5}$/, 1).meta({
          description: `At most this many messages. Default: ${PAGE_DEFAULT} as JSON, all as text`,
        }),
      }),
      answers: {
        200: {
          description: "As text, one line a message; with format=json a page with where the next one begins",
          mediaType: "text/plain",
          schema: LogShape,
        },
        404: { description: "The device sent none" },
      },
      handle: async ({ params, query: { attempt, format, level, text: part, after, limit } }) => {
        const wanted = given({ attempt, level, text: part, after });
        const asJson = format === "json";
        const max = limit ?? (asJson ? PAGE_DEFAULT : undefined);
        const page = await insight.log(params.id, params.device, { ...wanted, ...given({ limit: max }) });
        return asJson ? json(presentLog(page)) : text(plainText(page), "text/plain; charset=utf-8");
      },
    }),
  ];
}
