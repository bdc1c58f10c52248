import type { Command, CommandTable } from "./command.ts";
import { DEPLOYMENT_COMMANDS } from "./table/deployments.ts";
import { DEVICE_COMMANDS } from "./table/devices.ts";
import { LOGIN_COMMANDS } from "./table/login.ts";
import { RELEASE_COMMANDS } from "./table/releases.ts";
import { USER_COMMANDS } from "./table/users.ts";
import { WATCH_COMMANDS } from "./table/watch.ts";

/** What commands of a noun and a verb are about. */
const NOUNS: CommandTable["nouns"] = {
  profile: "Servers and logins that are kept",
  devices: "Devices: list, accept, reject, tag, decommission, read their logs",
  groups: "Static groups of devices",
  filters: "Saved filters: groups of all devices that meet conditions",
  releases: "Releases and their artifacts",
  deployments: "Deployments that were created",
  users: "Users of the server",
  tokens: "Personal access tokens, for scripts",
};

/** All commands, in the order of help and manual. */
const COMMANDS: readonly Command[] = [
  ...LOGIN_COMMANDS,
  ...DEVICE_COMMANDS,
  ...RELEASE_COMMANDS,
  ...DEPLOYMENT_COMMANDS,
  ...WATCH_COMMANDS,
  ...USER_COMMANDS,
];

export const TABLE: CommandTable = { commands: COMMANDS, nouns: NOUNS };
