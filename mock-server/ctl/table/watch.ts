import { type Command, command } from "../command.ts";

const KINDS = [
  ...["device", "auth_set", "inventory", "artifact", "release", "deployment", "device_deployment"],
  ...["deployment_log", "filter", "configuration", "user"],
] as const;

export const WATCH_COMMANDS: readonly Command[] = [
  command("watch", {
    describe: "Show what the fleet does, live: devices by status, running deployments, what happens",
    load: async () => (await import("../commands/watch.ts")).watch,
  }),
  command("events", {
    describe: "Print everything that changes, as it changes, one line each",
    options: {
      kind: { kind: "texts", choices: KINDS, value: "KIND", describe: "Only this kind; may be repeated" },
      after: { kind: "number", value: "NUMBER", describe: "From behind this event on, as far as events are kept" },
    },
    load: async () => (await import("../commands/events.ts")).events,
  }),
  command("export", {
    describe: "Write devices, deployments, or device deployments as CSV or JSON lines",
    details: [
      "A cell of CSV that a spreadsheet would take for a formula begins with an apostrophe. Attributes of devices are columns.",
    ],
    positionals: {
      what: { choices: ["devices", "deployments", "device-deployments"], describe: "What to write" },
    },
    options: {
      format: { kind: "text", choices: ["csv", "jsonl"], describe: "CSV if absent; with --json: JSON lines" },
      output: { kind: "text", aliases: ["o"], value: "FILE", describe: "File; standard output if absent" },
      deployment: { kind: "text", value: "ID", describe: "With device-deployments: only those of this deployment" },
    },
    load: async () => (await import("../commands/export.ts")).exportData,
  }),
];
