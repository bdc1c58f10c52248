import { COMMANDS, GLOBAL_OPTIONS } from "../../../agent/cli/commands.ts";
import { optionItems, positionalItems } from "./options.ts";
import type { Manual } from "./roff.ts";

/** upkeep(1) */
export const UPKEEP: Manual = {
  program: "upkeep",
  summary: "keeps this device's software up to date",
  description: [
    "Asks a server for deployments, checks that an artifact fits the device, installs it through update modules, reboots if " +
      "needed, and commits or rolls back. It speaks the protocol of Mender, and installs Mender artifacts.",
  ],
  commands: COMMANDS.map(({ name, describe, positionals, options }) => ({
    usage: [name, ...Object.keys(positionals).map((word) => `<${word}>`)].join(" "),
    describe,
    details: [],
    items: [...positionalItems(positionals), ...optionItems(options)],
  })),
  options: optionItems(GLOBAL_OPTIONS),
  sections: [
    {
      title: "EXIT STATUS",
      items: [
        { term: "0", text: "Done." },
        { term: "1", text: "An error." },
        { term: "2", text: "There is no update to commit, to resume or to roll back." },
        { term: "3", text: "Of 'check': an update failed, and the server knows it." },
        { term: "4", text: "With --reboot-exit-code: all went well, and the device must be rebooted." },
        {
          term: "5",
          text: "Of 'check': the server was not reached, or an update is not over; the next check goes on.",
        },
      ],
    },
    {
      title: "FILES",
      items: [
        { term: "/etc/mender/mender.conf", text: "Configuration." },
        {
          term: "/var/lib/mender",
          text: "What the agent keeps: its key, what is installed, the journal of an update.",
        },
      ],
    },
  ],
  seeAlso: ["upkeepctl", "upkeep-server"],
};
