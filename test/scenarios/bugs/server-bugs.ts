import type { Domain, NewDeployment } from "../../../mock-server/domain.ts";
import { DomainError } from "../../../mock-server/errors.ts";
import type { PlantedBug } from "./bug.ts";
import { withParts } from "./wrapping.ts";

/** A server that takes deployments in another way than they are asked for. */
export function creating(change: (request: NewDeployment, domain: Domain) => NewDeployment | Promise<NewDeployment>) {
  return {
    domain: (domain: Domain): Domain => ({
      ...domain,
      deployments: withParts(domain.deployments, {
        create: async (request) => await domain.deployments.create(await change(request, domain)),
      }),
    }),
  };
}

async function sizeOf({ devices }: NewDeployment, domain: Domain): Promise<number> {
  return devices?.length ?? (await domain.devices.count("accepted"));
}

/** The same deployment, with these phases. */
export function withPhases(request: NewDeployment, change: (phase: Phase, index: number) => Phase): NewDeployment {
  return request.phases === undefined ? request : { ...request, phases: request.phases.map(change) };
}
type Phase = NonNullable<NewDeployment["phases"]>[number];

const PAGE = { page: 1, perPage: 500 };

/** Mistakes of the server. */
export const SERVER_BUGS: readonly PlantedBug[] = [
  {
    name: "the newest deployment is handed out first",
    foundBy: ["oldest-deployment-first"],
    server: {
      domain: (domain) => ({
        ...domain,
        deviceSide: withParts(domain.deviceSide, {
          next: async (device, provides, options) => {
            const { items } = await domain.deployments.list({}, "desc", PAGE);
            const older = items.slice(1).filter(({ status, paused }) => status !== "finished" && paused === undefined);
            for (const { id } of older) await domain.deployments.pause(id);
            try {
              return await domain.deviceSide.next(device, provides, options);
            } finally {
              for (const { id } of older) await domain.deployments.resume(id);
            }
          },
        }),
      }),
    },
  },
  {
    name: "a phase takes one device too many",
    foundBy: ["phase-opens-at-noon"],
    server: creating(async (request, domain) => {
      const one = 100 / Math.max(1, await sizeOf(request, domain));
      return withPhases(request, (phase) =>
        phase.batchSize === undefined ? phase : { ...phase, batchSize: Math.min(99, phase.batchSize + one) },
      );
    }),
  },
  {
    name: "phases open at once",
    foundBy: ["phase-opens-at-noon"],
    server: creating((request) =>
      withPhases(request, ({ startMs: _, ...phase }, index) => (index === 0 ? phase : { ...phase, startMs: 0 })),
    ),
  },
  {
    name: "each retry counts twice",
    foundBy: ["retry-after-failure"],
    server: creating((request) =>
      request.retries === undefined ? request : { ...request, retries: Math.floor(request.retries / 2) },
    ),
  },
  {
    name: "one retry too many",
    foundBy: ["retries-are-used-up"],
    server: creating((request) =>
      request.retries === undefined ? request : { ...request, retries: request.retries + 1 },
    ),
  },
  {
    name: "the number of devices has no limit",
    foundBy: ["dynamic-group-with-limit"],
    server: creating(({ maxDevices: _, ...request }) => request),
  },
  {
    name: "a filter fits everybody",
    foundBy: ["dynamic-group-with-limit"],
    server: {
      domain: (domain) => ({
        ...domain,
        filters: withParts(domain.filters, {
          create: (name) =>
            domain.filters.create(name, [{ scope: "identity", attribute: "mac", type: "$exists", value: true }]),
        }),
      }),
    },
  },
  {
    name: "reports for an aborted deployment are welcome",
    foundBy: ["abort-while-downloading"],
    server: {
      domain: (domain) => ({
        ...domain,
        deviceSide: withParts(domain.deviceSide, {
          report: async (...report) => {
            try {
              await domain.deviceSide.report(...report);
            } catch (error) {
              if (!(error instanceof DomainError)) throw error;
            }
          },
        }),
      }),
    },
  },
  {
    name: "a success is acknowledged and forgotten",
    foundBy: ["success"],
    server: {
      domain: (domain) => ({
        ...domain,
        deviceSide: withParts(domain.deviceSide, {
          report: async (device, deployment, status, substate) => {
            if (status !== "success") await domain.deviceSide.report(device, deployment, status, substate);
          },
        }),
      }),
    },
  },
  {
    name: "inventories are acknowledged and forgotten",
    foundBy: ["dynamic-group-with-limit"],
    server: {
      domain: (domain) => ({
        ...domain,
        inventory: withParts(domain.inventory, { replace: async () => [] }),
      }),
    },
  },
  {
    name: "ranges begin a little too late",
    foundBy: ["link-drops-every-3-mb"],
    server: {
      exchange: async (request, answer) => {
        const answered = await answer(request);
        if (answered.status !== 206 || !(answered.body instanceof Uint8Array)) return answered;
        const body = new Uint8Array(answered.body.length);
        body.set(answered.body.subarray(16));
        return { ...answered, body };
      },
    },
  },
];
