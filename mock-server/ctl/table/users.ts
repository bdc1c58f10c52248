import { type Command, command } from "../command.ts";

const USER = { user: { describe: "E-mail address or id of the user" } } as const;
const YES = { yes: { kind: "flag", aliases: ["y"], describe: "Do not ask" } } as const;
const ROLES = ["admin", "read-only", "ci-upload"] as const;
const PASSWORD_FILE = {
  "password-file": { kind: "text", value: "FILE", describe: "File with the new password" },
} as const;

export const USER_COMMANDS: readonly Command[] = [
  command("users list", {
    describe: "List users",
    load: async () => (await import("../commands/users-list.ts")).usersList,
  }),
  command("users add", {
    describe: "Make a user; the password is asked for, or comes from --password-file",
    positionals: { email: { describe: "E-mail address of the user" } },
    options: { role: { kind: "text", choices: ROLES, describe: "read-only if absent" }, ...PASSWORD_FILE },
    load: async () => (await import("../commands/users-add.ts")).usersAdd,
  }),
  command("users role", {
    describe: "Give a user another role",
    positionals: { ...USER, role: { choices: ROLES, describe: "The role" } },
    load: async () => (await import("../commands/users-change.ts")).usersRole,
  }),
  command("users password", {
    describe: "Set another user's password, which ends that user's sessions",
    positionals: USER,
    options: {
      ...PASSWORD_FILE,
      "revoke-tokens": { kind: "flag", describe: "End the user's personal access tokens too" },
    },
    load: async () => (await import("../commands/users-change.ts")).usersPassword,
  }),
  command("users remove", {
    describe: "Remove a user with all sessions and tokens",
    positionals: USER,
    options: YES,
    load: async () => (await import("../commands/users-change.ts")).usersRemove,
  }),
  command("tokens list", {
    describe: "List one's personal access tokens",
    load: async () => (await import("../commands/tokens-list.ts")).tokensList,
  }),
  command("tokens create", {
    describe: "Make a personal access token, and print it: it is shown only now",
    positionals: { name: { describe: "Name of the token" } },
    options: {
      "expires-in": {
        kind: "text",
        value: "TIME",
        describe: "It is valid for this time, such as 90d; for ever if absent",
      },
    },
    load: async () => (await import("../commands/tokens-change.ts")).tokensCreate,
  }),
  command("tokens revoke", {
    describe: "Make a personal access token worthless",
    positionals: { name: { describe: "Name or id of the token" } },
    load: async () => (await import("../commands/tokens-change.ts")).tokensRevoke,
  }),
];
