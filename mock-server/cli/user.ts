import type { System } from "@upkeep/shared/system";
import type { Argv } from "yargs";
import { domainRefusal } from "../api/domain-refusals.ts";
import { DomainError } from "../errors.ts";
import { absolutePath, defaultDataDirectory, standardOutput } from "../system/environment.ts";
import { type Account, ROLE_NAMES, roleNamed } from "../users/index.ts";
import { parseDatabaseUrl } from "./addresses.ts";
import type { CommandBody } from "./commands.ts";
import { DATA_OPTION } from "./data-option.ts";
import { CommandError } from "./failure.ts";
import { askedPassword } from "./passwords.ts";
import { type OpenUsers, openUsers } from "./user/records.ts";

const PLACE_OPTIONS = {
  data: DATA_OPTION,
  database: { type: "string", describe: "The server's --database, if it has one", requiresArg: true },
} as const;

const PASSWORD_OPTION = {
  "password-file": {
    type: "string",
    describe: "File with the password; - is standard input",
    defaultDescription: "asked for at a terminal, else the first line of standard input",
    requiresArg: true,
  },
} as const;

/** How long a token of `user token` is good, in seconds. */
const TOKEN_LIFE_S = 3600;

const EPILOGUE = `Works on the records themselves, for anyone who may write them, whether a server runs or not: this is the way back in
when logins fail or are limited. A running server notices at once. A new password ends all sessions and personal access
tokens of its user, and the wait after wrong passwords. A token of "user token" needs no login at all.`;

type Arguments = Readonly<Record<string, unknown>>;

/** `upkeep-server user` */
export function userCommand(system: System): CommandBody {
  const email = (yargs: Argv) =>
    yargs.positional("email", { type: "string", describe: "The user's e-mail address", demandOption: true });
  return {
    builder: (yargs) =>
      yargs
        .options(PLACE_OPTIONS)
        .command({
          command: "list",
          describe: "List the users",
          builder: (own) => own.option("json", { type: "boolean", describe: "As JSON", default: false }),
          handler: (args) => withUsers(system, args, (open) => list(open, args.json === true)),
        })
        .command({
          command: "add <email>",
          describe: "Add a user",
          builder: (own) =>
            email(own).options({
              role: {
                type: "string",
                describe: `What the user may do: everything, look at everything, or upload artifacts: ${ROLE_NAMES}`,
                demandOption: true,
                requiresArg: true,
              },
              ...PASSWORD_OPTION,
            }),
          handler: (args) => withUsers(system, args, (open) => add(system, open, args)),
        })
        .command({
          command: "passwd <email>",
          describe: "Give a user a new password",
          builder: (own) => email(own).options(PASSWORD_OPTION),
          handler: (args) => withUsers(system, args, (open) => changePassword(system, open, args)),
        })
        .command({
          command: "token <email>",
          describe: "Print a token of a user that is good for an hour, without a login",
          builder: email,
          handler: (args) => withUsers(system, args, (open) => issueToken(system, open, String(args.email))),
        })
        .command({
          command: "remove <email>",
          describe: "Remove a user with all sessions and tokens",
          builder: email,
          handler: (args) => withUsers(system, args, (open) => remove(open, String(args.email))),
        })
        .demandCommand(1, "Say what to do: list, add, passwd, token or remove.")
        .epilogue(EPILOGUE),
    handler: () => undefined,
  };
}

async function withUsers(system: System, args: Arguments, work: (open: OpenUsers) => Promise<string>): Promise<void> {
  const directory = absolutePath(typeof args.data === "string" ? args.data : defaultDataDirectory());
  const database = typeof args.database === "string" ? parseDatabaseUrl(args.database) : undefined;
  const open = await openUsers(system, directory, database);
  try {
    standardOutput.write(await work(open));
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw new CommandError(domainRefusal(error).message);
  } finally {
    await open.close();
  }
}

async function list({ users }: OpenUsers, json: boolean): Promise<string> {
  const accounts = await users.accounts.list();
  if (json) return `${JSON.stringify(accounts.map(shown))}\n`;
  return accounts.map(({ email, role, createdMs }) => `${email}  ${role}  since ${day(createdMs)}\n`).join("");
}

function shown({ id, email, role, createdMs, updatedMs }: Account): Readonly<Record<string, string>> {
  return { id, email, role, created: new Date(createdMs).toISOString(), updated: new Date(updatedMs).toISOString() };
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

async function add(system: System, { users }: OpenUsers, args: Arguments): Promise<string> {
  const role = roleNamed(String(args.role));
  if (role === undefined) throw new CommandError(`--role ${String(args.role)}: must be one of ${ROLE_NAMES}`);
  const email = String(args.email);
  const password = await askedPassword(system.files, args["password-file"], `Password for ${email}: `);
  await users.accounts.create({ email, password, role });
  return `Added ${email.toLowerCase()} as ${role}\n`;
}

async function changePassword(system: System, { users }: OpenUsers, args: Arguments): Promise<string> {
  const { id, email } = await find(users, String(args.email));
  const password = await askedPassword(system.files, args["password-file"], `New password for ${email}: `);
  await users.accounts.resetPassword(id, password);
  return `Changed the password of ${email}; all sessions and personal access tokens of this user have ended\n`;
}

async function issueToken({ clock }: System, { users }: OpenUsers, wanted: string): Promise<string> {
  const { id } = await find(users, wanted);
  const name = `upkeep-server user token, ${new Date(clock.now()).toISOString()}`;
  return `${await users.tokens.create(id, name, TOKEN_LIFE_S)}\n`;
}

async function remove({ users }: OpenUsers, wanted: string): Promise<string> {
  const { id, email } = await find(users, wanted);
  await users.accounts.delete(id);
  return `Removed ${email}\n`;
}

async function find(users: OpenUsers["users"], wanted: string): Promise<Account> {
  const accounts = await users.accounts.list();
  const account = accounts.find(({ email }) => email === wanted.toLowerCase());
  if (account !== undefined) return account;
  const others = accounts.map(({ email }) => email).join(", ");
  throw new CommandError(`there is no user ${wanted}; there are: ${others === "" ? "none" : others}`);
}
