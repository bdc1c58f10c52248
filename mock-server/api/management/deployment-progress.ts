import { given } from "@upkeep/shared/given";
import { DEVICE_DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain, Progress, Timeline } from "../../domain.ts";
import { json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { one, Uuid } from "../validation.ts";
import { PHASE_STATES } from "./deployment-shapes.ts";
import { seconds, timestamp } from "./times.ts";

const BASE = "/api/management/v1/deployments/deployments/:id";

const Status = z.enum(DEVICE_DEPLOYMENT_STATUSES);

const TimelineShape = z.object({
  id: z.string().meta({ description: "Of the device" }),
  deployment_id: z.string(),
  status: Status,
  states: z.array(
    z.object({
      status: Status,
      attempt: z.int(),
      substate: z.string().optional(),
      started: z.string(),
      finished: z.string().optional(),
      instructed: z
        .string()
        .optional()
        .meta({ description: "Of pending: when the device got the instructions of this attempt" }),
      seconds: z.number().optional().meta({ description: "From started to finished" }),
    }),
  ),
});

function presentTimeline({ deviceId, deploymentId, status, states }: Timeline): z.infer<typeof TimelineShape> {
  return {
    id: deviceId,
    deployment_id: deploymentId,
    status,
    states: states.map(({ status: state, attempt, substate, startedMs, finishedMs, instructedMs }) => ({
      status: state,
      attempt,
      ...given({ substate }),
      started: timestamp(startedMs),
      ...(finishedMs === undefined ? {} : { finished: timestamp(finishedMs) }),
      ...(instructedMs === undefined ? {} : { instructed: timestamp(instructedMs) }),
      // The wall clock may have been set back meanwhile.
      ...(finishedMs === undefined ? {} : { seconds: Math.max(0, finishedMs - startedMs) / 1000 }),
    })),
  };
}

const ProgressShape = z.object({
  from: z.string(),
  to: z.string(),
  step: z.number().meta({ description: "Seconds" }),
  points: z.array(
    z.object({
      ts: z.string(),
      status: z
        .partialRecord(Status, z.int())
        .meta({ description: "The number of devices; statuses without devices are left out" }),
    }),
  ),
  phases: z.array(z.object({ id: z.string(), start_ts: z.string(), state: z.enum(PHASE_STATES) })),
});

function presentProgress(progress: Progress): z.infer<typeof ProgressShape> {
  return {
    from: timestamp(progress.fromMs),
    to: timestamp(progress.toMs),
    step: progress.stepMs / 1000,
    points: progress.points.map(({ atMs, counts }) => ({ ts: timestamp(atMs), status: counts })),
    phases: progress.phases.map(({ id, startMs = progress.createdMs, state }) => ({
      id,
      start_ts: timestamp(startMs),
      state,
    })),
  };
}

const step = one(
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/, "must be a whole number of seconds from 1 on")
    .transform((text) => Number(text) * 1000)
    .optional(),
);

/** How deployments go on, over time. */
export function deploymentProgressRoutes({ insight }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/devices/:device/timeline`,
      summary: "Show when a device had which status in a deployment, and for how long",
      access: "user",
      params: z.object({ id: Uuid, device: z.string() }),
      answers: {
        200: { description: "Statuses in order", schema: TimelineShape },
        404: { description: "The device has not asked for the deployment" },
      },
      handle: async ({ params }) => json(presentTimeline(await insight.timeline(params.id, params.device))),
    }),
    route({
      method: "GET",
      path: `${BASE}/progress`,
      summary: "Count a deployment's devices by status over time: from its creation to its end or now, in 60 steps",
      access: "user",
      params: z.object({ id: Uuid }),
      query: z.object({ from: seconds, to: seconds, step }),
      answers: {
        200: { description: "Counts at each time, and when the phases begin", schema: ProgressShape },
        400: { description: "The range is empty, or has more than 1000 steps" },
        404: { description: "There is no such deployment" },
      },
      handle: async ({ params, query: { from, to, step: stepMs } }) =>
        json(presentProgress(await insight.progress(params.id, given({ fromMs: from, toMs: to, stepMs })))),
    }),
  ];
}
