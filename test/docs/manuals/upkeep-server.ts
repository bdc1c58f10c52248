import yargs, { type Argv, type Options } from "yargs";
import { lazyCommands } from "../../../mock-server/cli/commands.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { flagText } from "./options.ts";
import type { Item, Manual, ManualCommand } from "./roff.ts";

/** What yargs knows of a command line that was described to it. */
interface Described {
  readonly names: readonly string[];
  readonly texts: Readonly<Record<string, string | undefined>>;
  readonly values: Readonly<Record<string, string>>;
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly words: readonly string[];
  readonly commands: readonly { readonly usage: string; readonly describe: string; readonly builder: unknown }[];
}

/** Yargs' own view, which it has no public method for. */
interface Inside {
  getInternalMethods(): {
    getUsageInstance(): { getDescriptions(): Record<string, string | undefined> };
    getCommandInstance(): {
      getCommandHandlers(): Record<string, { original: string; description: string | false; builder: unknown }>;
    };
  };
  getOptions(): {
    key: Record<string, unknown>;
    alias: Record<string, string[]>;
    boolean: string[];
    number: string[];
    choices: Record<string, readonly unknown[]>;
    hiddenOptions: string[];
  };
  getGroups(): Record<string, readonly string[]>;
}

const STANDARD = ["help", "version", "h"];

function described(line: Argv): Described {
  const inside = line as unknown as Inside;
  const options = inside.getOptions();
  const methods = inside.getInternalMethods();
  const words = inside.getGroups()["Positionals:"] ?? [];
  const all = Object.keys(options.key).filter(
    (name) => !STANDARD.includes(name) && !options.hiddenOptions.includes(name),
  );
  const values = all.map((name) => {
    const choices = options.choices[name]?.filter((choice) => choice !== undefined);
    const kind = options.number.includes(name) ? "NUMBER" : "VALUE";
    return [name, options.boolean.includes(name) ? "" : (choices?.join("|") ?? kind)] as const;
  });
  return {
    names: all.filter((name) => !words.includes(name)),
    texts: methods.getUsageInstance().getDescriptions(),
    values: Object.fromEntries(values),
    aliases: options.alias,
    words: words.filter((name) => all.includes(name)),
    commands: Object.values(methods.getCommandInstance().getCommandHandlers()).flatMap(
      ({ original, description, builder }) =>
        description === false || original.startsWith("$0") ? [] : [{ usage: original, describe: description, builder }],
    ),
  };
}

/** An alias is an option of its own to yargs: the longest name stands for all. */
function itemsOf({ names, texts, values, aliases, words }: Described, above: ReadonlySet<string>): readonly Item[] {
  const seen = new Set<string>(above);
  const options = names.flatMap((name) => {
    const text = texts[name];
    if (seen.has(name) || text === undefined) return [];
    const own = [name, ...(aliases[name] ?? [])].filter((alias) => /^[a-z0-9-]+$/i.test(alias) && !seen.has(alias));
    for (const alias of own) seen.add(alias);
    return [
      { term: flagText([...new Set(own)], values[name] ?? ""), text: `${text.replace("__yargsString__:", "")}.` },
    ];
  });
  const positionals = words.map((word) => ({ term: word, text: `${texts[word] ?? ""}.` }));
  return [...positionals, ...options];
}

/** A command, and the ones below it. */
async function manualOf(
  usage: string,
  describe: string,
  builder: unknown,
  above: ReadonlySet<string>,
): Promise<readonly ManualCommand[]> {
  const line = yargs([]).version(false);
  const built =
    typeof builder === "function" ? await builder(line) : line.options((builder ?? {}) as Record<string, Options>);
  const own = described((built ?? line) as Argv);
  const known = new Set([...above, ...own.names]);
  // The words behind a command's name are not part of the names below it.
  const name = usage
    .split(" ")
    .filter((word) => !/^([<[]|[A-Z]+$)/.test(word))
    .join(" ");
  const below = await Promise.all(
    own.commands.map((one) => manualOf(`${name} ${one.usage}`, one.describe, one.builder, known)),
  );
  return [{ usage, describe, details: [], items: itemsOf(own, above) }, ...below.flat()];
}

/** upkeep-server(1) */
export async function upkeepServer(): Promise<Manual> {
  const modules = lazyCommands(async () => openSystem());
  const commands = await Promise.all(
    modules.map(({ command, describe, builder }) => manualOf(String(command), String(describe), builder, new Set())),
  );
  return {
    program: "upkeep-server",
    summary: "serves software updates to embedded Linux devices",
    description: [
      "Selects the deployment for each device, serves artifacts, and takes statuses and logs. It speaks the device and " +
        "management APIs of Mender.",
    ],
    commands: commands.flat(),
    options: [],
    sections: [
      {
        title: "FILES",
        items: [
          { term: "/etc/default/upkeep-server", text: "Options of the service." },
          { term: "/var/lib/upkeep-server", text: "Records, artifacts and keys of the service." },
        ],
      },
      {
        title: "EXAMPLES",
        examples: [
          {
            text: "Set the password of the first administrator of the service:",
            term: "runuser -u upkeep-server -- upkeep-server user passwd admin@example.com --data /var/lib/upkeep-server",
          },
        ],
      },
    ],
    seeAlso: ["upkeepctl", "upkeep"],
  };
}
