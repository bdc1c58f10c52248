import { DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import * as z from "zod";
import { DEVICE_STATUSES, type Domain } from "../../domain.ts";
import type { ConnectionCounts } from "../../system/connection-counts.ts";
import { empty, json, text } from "../answers.ts";
import type { IndexingView } from "../management/artifact-shape.ts";
import { type Route, route } from "../route.ts";
import { Counter, gauge, type Labels } from "./exposition.ts";
import type { RequestMetrics } from "./metrics.ts";
import { mustBeReady, type ReadinessPorts } from "./readiness.ts";

/** The text format of Prometheus. */
const EXPOSITION = "text/plain; version=0.0.4; charset=utf-8";

const Status = z.object({ status: z.literal("ok") });

async function byStatus<S extends string>(
  statuses: readonly S[],
  count: (status: S) => Promise<number>,
): Promise<(readonly [Labels, number])[]> {
  const values: (readonly [Labels, number])[] = [];
  for (const status of statuses) values.push([{ status }, await count(status)]);
  return values;
}

async function fleetLines({ devices, deployments }: Domain): Promise<string[]> {
  const one = { page: 1, perPage: 1 };
  const ofDevices = await byStatus(DEVICE_STATUSES, (status) => devices.count(status));
  const ofDeployments = await byStatus(
    DEPLOYMENT_STATUSES,
    async (status) => (await deployments.list({ status }, "desc", one)).total,
  );
  return [
    ...gauge("upkeep_devices", "Devices, by status.", ofDevices),
    ...gauge("upkeep_deployments", "Deployments, by status.", ofDeployments),
  ];
}

async function indexLines({ artifacts }: Domain): Promise<string[]> {
  const waiting = (await artifacts.notIndexed()).length;
  const bytes = await artifacts.indexBytes();
  return [
    ...gauge("upkeep_artifacts_not_indexed", "Artifacts that wait for their index.", [[{}, waiting]]),
    ...gauge("upkeep_artifact_index_bytes", "Bytes of all indexes with their chunks.", [[{}, bytes]]),
  ];
}

function connectionLines(connections: ConnectionCounts | undefined): string[] {
  if (connections === undefined) return [];
  const ended = new Counter(
    "upkeep_connections_ended_total",
    "Connections that the server refused or closed, by the reason.",
  );
  for (const [reason, count] of connections.ends()) ended.add({ reason }, count);
  return [...gauge("upkeep_connections", "Open connections.", [[{}, connections.open]]), ...ended.lines()];
}

function storageLines({ repeatedTransactions }: Domain): string[] {
  const repeated = new Counter(
    "upkeep_transactions_repeated_total",
    "Transactions that the database gave up, because of a deadlock for instance, and that were repeated.",
  );
  repeated.add({}, repeatedTransactions());
  return repeated.lines();
}

/** The reference's services that this server stands for. */
const REFERENCE_SERVICES = ["deployments", "deviceconfig", "devauth", "inventory", "useradm"] as const;

/** The probes of one of the reference's services, for load balancers that were set up for it. */
function referenceProbes(service: (typeof REFERENCE_SERVICES)[number], ports: ReadinessPorts): Route[] {
  const base = `/api/internal/v1/${service}`;
  return [
    route({
      method: "GET",
      path: `${base}/alive`,
      summary: "Whether the program runs",
      access: "public",
      answers: { 204: { description: "It does" } },
      handle: () => empty(204),
    }),
    route({
      method: "GET",
      path: `${base}/health`,
      summary: "Whether requests can be answered",
      access: "public",
      answers: { 204: { description: "They can" }, 503: { description: "Why they cannot" } },
      handle: async () => {
        await mustBeReady(ports);
        return empty(204);
      },
    }),
  ];
}

/** What those who run the server ask: is it well, and how much does it do. */
export function operationRoutes(
  ports: ReadinessPorts & {
    domain: Domain;
    metrics: RequestMetrics;
    connections?: ConnectionCounts;
    indexing?: IndexingView;
  },
): Route[] {
  const { domain, metrics, connections, indexing } = ports;
  return [
    route({
      method: "GET",
      path: "/health",
      summary: "Whether the program runs",
      access: "public",
      head: true,
      answers: { 200: { description: "It does", schema: Status } },
      handle: () => json({ status: "ok" }),
    }),
    route({
      method: "GET",
      path: "/ready",
      summary: "Whether requests can be answered: the records can be read and written, and the disk has room",
      access: "public",
      head: true,
      answers: { 200: { description: "They can", schema: Status }, 503: { description: "Why they cannot" } },
      handle: async () => {
        await mustBeReady(ports);
        return json({ status: "ok" });
      },
    }),
    ...REFERENCE_SERVICES.flatMap((service) => referenceProbes(service, ports)),
    route({
      method: "GET",
      path: "/metrics",
      summary: "Counts for Prometheus",
      access: "user",
      answers: { 200: { description: "Metrics", mediaType: "text/plain" } },
      handle: async () =>
        text(
          `${[
            ...metrics.lines(),
            ...connectionLines(connections),
            ...storageLines(domain),
            ...(await fleetLines(domain)),
            ...(indexing === undefined ? [] : await indexLines(domain)),
          ].join("\n")}\n`,
          EXPOSITION,
        ),
    }),
  ];
}
