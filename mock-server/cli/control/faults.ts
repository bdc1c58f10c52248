import type { CommandModule } from "yargs";
import type { Ask } from "../control.ts";
import { faultEntry } from "./fault-entry.ts";

/** Commands that switch faults on and off. */
export function faultCommands(ask: Ask): CommandModule[] {
  return [
    ask("list", "Those that are switched on", () => ({ method: "GET", path: "/faults" })),
    ask(
      "add FAULT",
      "Switch one on, as it stands in a scenario file, such as 'answer: {status: 503}'",
      (args) => ({ method: "POST", path: "/faults", body: faultEntry(args) }),
      (yargs) =>
        yargs.options({
          to: {
            type: "array",
            string: true,
            describe: "Only requests of this kind: poll, status, download …",
            requiresArg: true,
          },
          device: {
            type: "array",
            string: true,
            describe: "Only this device: its id, or a value of its identity",
            requiresArg: true,
          },
          while: { type: "string", describe: "Only while the device last reported this status", requiresArg: true },
          count: { type: "number", describe: "How many times it happens at most", requiresArg: true },
          probability: { type: "number", describe: "Not always: from 0 to 1", requiresArg: true },
        }),
    ),
    ask("remove ID", "Switch one off", ({ ID }) => ({
      method: "DELETE",
      path: `/faults/${encodeURIComponent(String(ID))}`,
    })),
    ask("clear", "Switch all off", () => ({ method: "DELETE", path: "/faults" })),
  ];
}
