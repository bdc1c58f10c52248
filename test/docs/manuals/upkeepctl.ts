import { GLOBAL_OPTIONS } from "../../../mock-server/ctl/command.ts";
import { TABLE } from "../../../mock-server/ctl/commands.ts";
import { positionalUsage } from "../../../mock-server/ctl/usage.ts";
import { optionItems, positionalItems } from "./options.ts";
import type { Manual } from "./roff.ts";

/** upkeepctl(1) */
export const UPKEEPCTL: Manual = {
  program: "upkeepctl",
  summary: "runs a fleet of devices on an Upkeep server",
  description: [
    "What an operator does with devices, releases and deployments, over the management API of an upkeep-server, or of " +
      "another server with the API of Mender, as far as that has the operations; what it lacks is named.",
    "Data goes to standard output, all else to standard error. Devices and deployments may be named by the beginning of " +
      "their id, if that is unambiguous; devices also by what identifies them, deployments by their name.",
    "Server and login come from flags, else from variables of the environment, else from the profile that 'login' has " +
      "made. Nothing is read from the working directory.",
  ],
  commands: TABLE.commands.map(({ name, describe, details, positionals, options }) => ({
    usage: [name, ...Object.entries(positionals).map(([word, spec]) => positionalUsage(word, spec))].join(" "),
    describe,
    details,
    items: [...positionalItems(positionals), ...optionItems(options)],
  })),
  options: optionItems(GLOBAL_OPTIONS),
  sections: [
    {
      title: "EXIT STATUS",
      items: [
        { term: "0", text: "Done; a deployment that was waited for has succeeded." },
        { term: "1", text: "An error." },
        { term: "2", text: "A mistake in the command line, or a question where standard input is no terminal." },
        { term: "3", text: "The deployment that was waited for has ended with failures, or was aborted." },
        { term: "4", text: "Not logged in, or the user's role does not allow it." },
        { term: "5", text: "The time to wait is over; the deployment goes on." },
        { term: "130", text: "Ctrl-C; a deployment that was waited for goes on." },
      ],
    },
    {
      title: "ENVIRONMENT",
      items: [
        { term: "UPKEEP_SERVER", text: "URL of the server, in place of the profile's." },
        { term: "UPKEEP_TOKEN", text: "Token, in place of the profile's: for scripts." },
        { term: "UPKEEP_PROFILE", text: "Name of the profile." },
        { term: "UPKEEP_USER, UPKEEP_PASSWORD", text: "E-mail address and password for 'login'." },
        { term: "NO_COLOR", text: "With any value: no colours. TERM=dumb: neither colours nor pictures that move." },
      ],
    },
    {
      title: "FILES",
      items: [
        {
          term: "$XDG_CONFIG_HOME/upkeepctl/profiles.json",
          text: "Servers, tokens and trusted certificates; only its owner can read it. Without the variable it lies below ~/.config.",
        },
      ],
    },
    {
      title: "EXAMPLES",
      examples: [
        {
          text: "Log in to a server with a certificate of its own:",
          term: "upkeepctl login --server https://updates.example.com --ca ca.pem",
        },
        {
          text: "See whom a rollout would mean, then do it and wait for it:",
          term: "upkeepctl deploy release-2 --to all --phases 10%,rest@1d --dry-run\nupkeepctl deploy release-2 --to all --phases 10%,rest@1d --wait",
        },
        {
          text: "In a pipeline:",
          term: "UPKEEP_SERVER=https://updates.example.com UPKEEP_TOKEN=... upkeepctl releases upload release-2.mender",
        },
      ],
    },
  ],
  seeAlso: ["upkeep-server", "upkeep"],
};
