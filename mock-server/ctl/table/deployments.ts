import { type Command, command } from "../command.ts";

const DEPLOYMENT = { deployment: { describe: "Id, its beginning, or the deployment's name" } } as const;
const YES = { yes: { kind: "flag", aliases: ["y"], describe: "Do not ask" } } as const;
const WAIT = {
  wait: { kind: "flag", describe: "Show how it goes on until it has ended; the exit code says how" },
  timeout: {
    kind: "text",
    value: "TIME",
    describe: "With --wait: for at most this time, such as 2h; then exit with 5",
  },
} as const;
/** Statuses of a device in a deployment, and kinds of them. */
const DEVICE_STATUSES = [
  ...["pending", "downloading", "pause_before_installing", "installing", "pause_before_rebooting", "rebooting"],
  ...["pause_before_committing", "success", "failure", "noartifact", "already-installed", "aborted", "decommissioned"],
  ...["active", "pause", "finished"],
] as const;
const EXIT_CODES =
  "With --wait the exit code is 0 if the deployment succeeded on all devices, 3 if it ended with failures or was aborted, " +
  "5 if the time was over before, and 130 after Ctrl-C; in the last two cases the deployment goes on.";

export const DEPLOYMENT_COMMANDS: readonly Command[] = [
  command("deploy", {
    describe: "Deploy a release: shows whom it means and what they get, asks, and creates the deployment",
    details: [
      "Before anything is sent, the server's own preview is shown: which devices are meant, which artifact each device " +
        "type gets, who is left out and why, and the phases. --dry-run ends there.",
      "--filter takes the name of a saved filter, whose deployment also reaches devices that meet it later, or conditions " +
        "as 'filters create' does, which mean the devices that meet them now.",
      "Phases are shares with the time at which they begin: 10%,50%@2h,rest@1d. Times count from now; instants such as " +
        "2026-03-01T12:00Z are taken too.",
      EXIT_CODES,
    ],
    positionals: { release: { describe: "Name of the release" } },
    options: {
      to: { kind: "text", value: "all|GROUP", describe: "All accepted devices, or those of a static group" },
      device: { kind: "texts", value: "ID", describe: "A device; may be repeated, or several with commas" },
      filter: { kind: "text", value: "EXPR", describe: "The devices of a saved filter, or that meet conditions" },
      file: {
        kind: "text",
        value: "FILE",
        describe: "Make the release first, of one file, for the update module single-file",
      },
      dest: { kind: "text", value: "DIR", describe: "With --file: the directory on the device where the file goes" },
      "device-type": {
        kind: "texts",
        value: "TYPE",
        describe: "With --file: the device type that it is for; may be repeated, or several with commas",
      },
      name: { kind: "text", value: "NAME", describe: "Name of the deployment; the release's if absent" },
      phases: { kind: "text", value: "PHASES", describe: "Shares, each with when it begins: 10%,50%@2h,rest@1d" },
      "success-threshold": {
        kind: "number",
        value: "PERCENT",
        describe: "Of each phase: percent that must succeed before the next one begins",
      },
      "error-threshold": {
        kind: "number",
        value: "PERCENT",
        describe: "Of each phase: percent of failures at which the deployment pauses",
      },
      retries: { kind: "number", value: "N", describe: "Further attempts of a device that fails" },
      "silent-after": {
        kind: "text",
        value: "TIME",
        describe: "A device that is silent for this time fails, such as 6h",
      },
      force: { kind: "flag", describe: "Also to devices that have the release installed" },
      "max-devices": { kind: "number", value: "N", describe: "With a saved filter: at most this many devices" },
      "dry-run": { kind: "flag", describe: "Show what it would do, and create nothing" },
      ...YES,
      ...WAIT,
    },
    load: async () => (await import("../commands/deploy.ts")).deploy,
  }),
  command("deployments list", {
    describe: "List deployments, newest first",
    options: {
      status: {
        kind: "text",
        choices: ["pending", "inprogress", "finished"],
        describe: "Only deployments of this status",
      },
      limit: { kind: "number", value: "N", describe: "At most this many; 20 if absent, 0 for all" },
    },
    load: async () => (await import("../commands/deployments-list.ts")).deploymentsList,
  }),
  command("deployments show", {
    describe: "Show a deployment: progress, phases, and failures by reason",
    positionals: DEPLOYMENT,
    load: async () => (await import("../commands/deployments-show.ts")).deploymentsShow,
  }),
  command("deployments devices", {
    describe: "List what each device has made of a deployment",
    positionals: DEPLOYMENT,
    options: {
      status: { kind: "text", choices: DEVICE_STATUSES, describe: "Only devices of this status, or kind of status" },
    },
    load: async () => (await import("../commands/deployments-devices.ts")).deploymentsDevices,
  }),
  command("deployments wait", {
    describe: "Wait until a deployment has ended",
    details: [EXIT_CODES],
    positionals: DEPLOYMENT,
    options: {
      timeout: { kind: "text", value: "TIME", describe: "For at most this time, such as 2h; then exit with 5" },
    },
    load: async () => (await import("../commands/deployments-wait.ts")).deploymentsWait,
  }),
  command("deployments abort", {
    describe: "Abort a deployment: devices that have not begun are left as they are",
    positionals: DEPLOYMENT,
    options: YES,
    load: async () => (await import("../commands/deployments-change.ts")).deploymentsAbort,
  }),
  command("deployments pause", {
    describe: "Pause a deployment: no further device begins",
    positionals: DEPLOYMENT,
    load: async () => (await import("../commands/deployments-change.ts")).deploymentsPause,
  }),
  command("deployments resume", {
    describe: "Let a paused deployment go on",
    positionals: DEPLOYMENT,
    load: async () => (await import("../commands/deployments-change.ts")).deploymentsResume,
  }),
  command("deployments finish", {
    describe: "Finish a deployment to a filter: no further device joins",
    positionals: DEPLOYMENT,
    load: async () => (await import("../commands/deployments-change.ts")).deploymentsFinish,
  }),
  command("deployments retry-failed", {
    describe: "Deploy the same release again, to the devices that failed",
    positionals: DEPLOYMENT,
    options: { ...YES, ...WAIT },
    load: async () => (await import("../commands/deployments-retry.ts")).deploymentsRetry,
  }),
];
