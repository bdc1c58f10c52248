import { given } from "@upkeep/shared/given";
import type { Domain } from "../../../mock-server/domain.ts";
import type { PlantedBug } from "./bug.ts";
import { creating, withPhases } from "./server-bugs.ts";
import { withParts } from "./wrapping.ts";

/** A server on which people's commands for deployments are taken and not carried out. */
function ignoring(...commands: readonly ("pause" | "finish" | "resume")[]) {
  return {
    domain: (domain: Domain): Domain => ({
      ...domain,
      deployments: withParts(
        domain.deployments,
        Object.fromEntries(commands.map((command) => [command, async () => undefined])),
      ),
    }),
  };
}

/** Mistakes of the server in who gets what when. */
export const ROLLOUT_BUGS: readonly PlantedBug[] = [
  {
    name: "failures never pause a rollout",
    foundBy: ["too-many-failures-pause-the-rollout", "person-resumes-a-paused-rollout"],
    server: creating((request) => withPhases(request, ({ errorThreshold: _, ...phase }) => phase)),
  },
  {
    name: "the next phase waits for nobody's success",
    foundBy: ["success-opens-the-next-phase"],
    server: creating((request) => withPhases(request, ({ successThreshold: _, ...phase }) => phase)),
  },
  {
    name: "silence is not noticed",
    foundBy: ["silent-device-counts-as-failed"],
    server: creating(({ silentAfterMs: _, ...request }) => request),
  },
  {
    name: "what the server could not hear counts as silence",
    foundBy: ["silence-across-an-outage-of-the-server"],
    server: {
      domain: (domain) => ({
        ...domain,
        deployments: withParts(domain.deployments, { restartUptime: () => undefined }),
      }),
    },
  },
  {
    name: "a jump of the server's clock counts as silence",
    foundBy: ["clock-of-the-server-jumps-ahead"],
    server: { clock: (clock) => ({ now: () => clock.now(), monotonic: () => clock.now() }) },
  },
  {
    name: "bytes that a device takes are no sign of life",
    foundBy: ["long-download-and-long-install-are-no-silence"],
    server: {
      domain: (domain) => ({
        ...domain,
        deviceSide: withParts(domain.deviceSide, { touch: () => Promise.resolve() }),
      }),
    },
  },
  {
    name: "devices that wait for a phase are taken for silent",
    foundBy: ["waiting-for-a-phase-is-no-silence"],
    server: {
      domain: (domain) => ({
        ...domain,
        deployments: withParts(domain.deployments, {
          failSilent: async () => {
            const failed = await domain.deployments.failSilent();
            const { items } = await domain.deployments.list({}, "asc", { page: 1, perPage: 10 });
            for (const { id, silentAfterMs, phases } of items) {
              if (silentAfterMs === undefined || phases.every(({ state }) => state !== "scheduled")) continue;
              const begun = new Set((await domain.deployments.devices(id, undefined)).items.map((one) => one.deviceId));
              const waiting = (await domain.deployments.targets(id)).filter((one) => !begun.has(one));
              for (const device of waiting) await domain.deployments.abortDevice(device);
            }
            return failed;
          },
        }),
      }),
    },
  },
  {
    name: "a pause is acknowledged and forgotten",
    foundBy: ["person-pauses-and-resumes"],
    server: ignoring("pause"),
  },
  {
    name: "a resume is acknowledged and forgotten",
    foundBy: ["person-pauses-and-resumes", "person-resumes-a-paused-rollout"],
    server: ignoring("resume"),
  },
  {
    name: "an open deployment is finished by nobody",
    foundBy: ["user-finishes-an-open-deployment"],
    server: ignoring("finish"),
  },
  {
    name: "one of the devices that were named is left out",
    foundBy: ["person-pauses-and-resumes", "waiting-for-a-phase-blocks-what-is-newer"],
    server: creating(({ devices, ...request }) =>
      devices === undefined || devices.length < 2
        ? { ...request, ...(devices && { devices }) }
        : { ...request, devices: devices.slice(1) },
    ),
  },
  {
    name: "a deployment to a group is one to everybody",
    foundBy: ["later-members-of-a-group-are-not-included"],
    server: creating(({ group, ...request }) => (group === undefined ? request : { ...request, allDevices: true })),
  },
  {
    name: "whoever fails once has failed for good",
    foundBy: ["failing-devices-hold-nobody-up", "success-opens-the-next-phase"],
    server: creating(({ retries: _, ...request }) => request),
  },
  {
    name: "a scheduled deployment begins at once",
    foundBy: ["scheduled-for-the-night"],
    server: creating(({ phases, ...request }) =>
      phases?.length === 1 ? request : { ...request, ...given({ phases }) },
    ),
  },
];
