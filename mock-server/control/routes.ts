import { given } from "@upkeep/shared/given";
import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type Answer, created, empty, json } from "../api/answers.ts";
import { refuseForeignPages } from "../api/authentication.ts";
import { timestamp } from "../api/management/times.ts";
import { type Route, route } from "../api/route.ts";
import { fields, one, Time } from "../api/validation.ts";
import { Duration } from "../faults/language/quantities.ts";
import { REQUEST_KINDS } from "../faults/language/request-kinds.ts";
import type { TestControls } from "./controls.ts";
import { OfferedFaultShape, offeredFaults } from "./fault-catalogue.ts";
import { type ReadScenario, scenarioRoutes } from "./scenario-runs.ts";
import { ClockShape, SeenRequestShape, SnapshotName, SwitchedFaultShape, seenRequest } from "./shapes.ts";

/** Path of the control API: a server started with `--test-controls` answers there. */
export const CONTROL_API = "/api/test/v1";

const CLOCK = { 200: { description: "What the clock shows", schema: ClockShape } };
const NO_SNAPSHOT = { description: "There is no such snapshot" };

/**
 * The control API. It asks for no token: the hosts below can do everything.
 * @param hosts Hosts whose requests are answered.
 * @param readScenario Absent: this server runs no scenarios.
 */
export function controlRoutes(
  controls: TestControls,
  hosts: "this-machine" | "any",
  readScenario?: ReadScenario,
): Route[] {
  return [
    ...(readScenario === undefined ? [] : scenarioRoutes(readScenario, CONTROL_API)),
    ...faultRoutes(controls),
    ...clockRoutes(controls),
    ...deviceRoutes(controls),
    ...snapshotRoutes(controls),
    ...requestRoutes(controls),
  ].map((one) => ({ ...one, guard: (request) => refuseForeignPages(request, hosts) }));
}

function faultRoutes({ faults }: TestControls): Route[] {
  const path = `${CONTROL_API}/faults`;
  return [
    route({
      method: "GET",
      path,
      summary: "The faults that are switched on",
      access: "public",
      answers: { 200: { description: "Faults", schema: z.array(SwitchedFaultShape) } },
      handle: () => json(faults.list()),
    }),
    route({
      method: "GET",
      path: `${path}/catalogue`,
      summary: "The faults that can be switched on, with the schemas of their values",
      access: "public",
      answers: { 200: { description: "Faults", schema: z.array(OfferedFaultShape) } },
      handle: () => json(offeredFaults()),
    }),
    route({
      method: "POST",
      path,
      summary: "Switch a fault on, as it stands in a scenario file",
      access: "public",
      body: { schema: recordOf(z.unknown()), tooLarge: 400 },
      answers: { 201: { description: "It is on", schema: SwitchedFaultShape } },
      handle: ({ body }) => {
        const fault = faults.add(body);
        return { status: 201, headers: { location: `${path}/${fault.id}` }, body: { json: fault } };
      },
    }),
    route({
      method: "DELETE",
      path: `${path}/:id`,
      summary: "Switch a fault off",
      access: "public",
      params: z.object({ id: z.coerce.number().int() }),
      answers: { 204: { description: "It is off" }, 404: { description: "There is no such fault" } },
      handle: ({ params }) => {
        faults.remove(params.id);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path,
      summary: "Switch all faults off",
      access: "public",
      answers: { 204: { description: "There are none any more" } },
      handle: () => {
        faults.clear();
        return empty(204);
      },
    }),
  ];
}

function clockRoutes(controls: TestControls): Route[] {
  const { time } = controls;
  const shown = (): Answer => json({ now: timestamp(time.now()), frozen: time.frozen });
  const action = (name: string, summary: string, act: () => void): Route =>
    route({
      method: "POST",
      path: `${CONTROL_API}/clock/${name}`,
      summary,
      access: "public",
      answers: CLOCK,
      handle: () => {
        act();
        return shown();
      },
    });
  return [
    route({
      method: "GET",
      path: `${CONTROL_API}/clock`,
      summary: "What the server's clock shows",
      access: "public",
      answers: CLOCK,
      handle: shown,
    }),
    action("freeze", "Stop the server's clock and its timers", () => time.freeze()),
    action("run", "Let the server's clock go on from where it stands", () => time.run()),
    action("reset", "Let the server's clock show the real time", () => time.reset()),
    route({
      method: "POST",
      path: `${CONTROL_API}/clock/advance`,
      summary: "Let time pass at once: what is due meanwhile happens",
      access: "public",
      body: { schema: fields({ by: Duration }), tooLarge: 400 },
      answers: CLOCK,
      handle: async ({ body }) => {
        await controls.advance(body.by);
        return shown();
      },
    }),
    route({
      method: "PUT",
      path: `${CONTROL_API}/clock`,
      summary: "Set the server's clock, as when a wrong clock is corrected: no time passes",
      access: "public",
      body: { schema: fields({ now: Time }), tooLarge: 400 },
      answers: CLOCK,
      handle: ({ body }) => {
        time.set(body.now);
        return shown();
      },
    }),
  ];
}

function deviceRoutes(controls: TestControls): Route[] {
  return [
    route({
      method: "POST",
      path: `${CONTROL_API}/tokens/expire`,
      summary: "Let the tokens of one device (its id, or the value of an identity attribute) or of all end",
      access: "public",
      body: { schema: fields({ device: z.string().optional() }), tooLarge: 400, absent: {} },
      answers: {
        200: { description: "Of how many devices", schema: z.object({ devices: z.int() }) },
        404: { description: "There is no such device" },
      },
      handle: async ({ body }) => json({ devices: await controls.expireTokens(body.device) }),
    }),
    route({
      method: "POST",
      path: `${CONTROL_API}/devices/accept`,
      summary: "Accept every device that waits for it",
      access: "public",
      answers: { 200: { description: "How many keys", schema: z.object({ accepted: z.int() }) } },
      handle: async () => json({ accepted: await controls.acceptAll() }),
    }),
  ];
}

function snapshotRoutes(controls: TestControls): Route[] {
  const path = `${CONTROL_API}/snapshots/:name`;
  return [
    route({
      method: "GET",
      path: `${CONTROL_API}/snapshots`,
      summary: "Names of the snapshots that there are",
      access: "public",
      answers: { 200: { description: "Names", schema: z.array(z.string()) } },
      handle: () => json(controls.snapshots),
    }),
    route({
      method: "PUT",
      path,
      summary: "Remember all records and artifacts as they are now",
      access: "public",
      params: SnapshotName,
      answers: { 201: { description: "They are remembered for as long as the server runs" } },
      handle: async ({ params: { name } }) => {
        await controls.takeSnapshot(name);
        return created(`${CONTROL_API}/snapshots/${name}`);
      },
    }),
    route({
      method: "POST",
      path: `${path}/restore`,
      summary: "Make all records and artifacts as they were then",
      access: "public",
      params: SnapshotName,
      answers: { 204: { description: "They are" }, 404: NO_SNAPSHOT },
      handle: async ({ params }) => {
        await controls.restoreSnapshot(params.name);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path,
      summary: "Forget a snapshot",
      access: "public",
      params: SnapshotName,
      answers: { 204: { description: "It is gone" }, 404: NO_SNAPSHOT, 409: { description: "A reset needs it" } },
      handle: async ({ params }) => {
        await controls.dropSnapshot(params.name);
        return empty(204);
      },
    }),
    route({
      method: "POST",
      path: `${CONTROL_API}/reset`,
      summary: "Make everything as it was when the server started: records, artifacts, faults, clock",
      access: "public",
      answers: { 204: { description: "It is" } },
      handle: async () => {
        await controls.reset();
        return empty(204);
      },
    }),
  ];
}

function requestRoutes(controls: TestControls): Route[] {
  const { requests } = controls;
  return [
    route({
      method: "GET",
      path: `${CONTROL_API}/requests`,
      summary: "What devices asked, in the order in which they were answered; the last ten thousand",
      access: "public",
      query: z.object({
        device: one(z.string().optional()),
        kind: one(z.enum(REQUEST_KINDS).optional()),
        after: one(z.coerce.number().int().min(0).optional()),
      }),
      answers: {
        200: { description: "Requests", schema: z.array(SeenRequestShape) },
        404: { description: "There is no such device" },
      },
      handle: async ({ query: { device, kind, after } }) =>
        json(
          requests
            .list({
              ...(device === undefined ? {} : { device: (await controls.device(device)).id }),
              ...given({ kind, after }),
            })
            .map(seenRequest),
        ),
    }),
    route({
      method: "DELETE",
      path: `${CONTROL_API}/requests`,
      summary: "Forget what devices asked",
      access: "public",
      answers: { 204: { description: "It is forgotten" } },
      handle: () => {
        requests.forget();
        return empty(204);
      },
    }),
  ];
}
