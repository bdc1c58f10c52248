import { describe, expect, it } from "vitest";
import { COMMANDS, type Command, camelCase, GLOBAL_OPTIONS, type OptionSpec } from "../../../agent/cli/commands.ts";
import { parseFully } from "../../../agent/cli/full-parser.ts";
import { parseQuickly } from "../../../agent/cli/quick-parser.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { upkeep } from "./device.ts";

const directory = temporaryDirectory();

/** A command's name with a value for each of its positionals, and those values by their names. */
function minimal({ name, positionals }: Command) {
  const values = Object.entries(positionals).map(
    ([word, { choices }], index) => [camelCase(word), choices?.[0] ?? `/word-${index}`] as const,
  );
  return { words: [name, ...values.map(([, value]) => value)], values: Object.fromEntries(values) };
}

/** An option as it is typed, and the value that it then has. */
function typed({ kind, choices }: OptionSpec): { readonly word: string | undefined; readonly value: unknown } {
  if (kind === "flag") return { word: undefined, value: true };
  if (kind === "number") return { word: "7", value: 7 };
  const word = choices?.at(-1) ?? "/a=b c";
  return { word, value: kind === "texts" ? [word] : word };
}

const dashed = (name: string): string => `${name.length === 1 ? "-" : "--"}${name}`;

const EVERY_OPTION = COMMANDS.flatMap((command) =>
  Object.entries<OptionSpec>({ ...GLOBAL_OPTIONS, ...command.options }).flatMap(([name, spec]) =>
    [name, ...(spec.aliases ?? [])].map((alias) => ({ command, alias, name, spec })),
  ),
);

describe("the table of commands", () => {
  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    "is read alike by both parsers: %s",
    async (_, command) => {
      const { words, values } = minimal(command);
      expect(parseQuickly(words)).toEqual({ command, options: values });
      expect(await parseFully(words)).toEqual({ command, options: values });
    },
  );

  it.each(EVERY_OPTION.map((one) => [`${one.command.name} ${dashed(one.alias)}`, one] as const))(
    "is read alike by both parsers: %s",
    async (_, { command, alias, name, spec }) => {
      const { words, values } = minimal(command);
      const { word, value } = typed(spec);
      const option = word === undefined ? [dashed(alias)] : [dashed(alias), word];
      const expected = { command, options: { ...values, [camelCase(name)]: value } };
      expect(await parseFully([...words, ...option])).toEqual(expected);
      // Numbers and lists are the full parser's.
      const quick = parseQuickly([...words, ...option]);
      expect(quick).toEqual(spec.kind === "text" || spec.kind === "flag" ? expected : undefined);
      if (word !== undefined && alias.length > 1) {
        const inline = [...words, `${dashed(alias)}=${word}`];
        expect(await parseFully(inline)).toEqual(expected);
        if (quick !== undefined) expect(parseQuickly(inline)).toEqual(expected);
      }
    },
  );

  it("has no two options of one name for a command", () => {
    for (const command of COMMANDS) {
      const names = EVERY_OPTION.filter((one) => one.command === command).map(({ alias }) => alias);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

describe("a plain command line", () => {
  it.each([
    [["daemon"], {}],
    [["--root", "/r", "daemon"], { root: "/r" }],
    [["daemon", "--root=/r", "-c", "/c", "-l", "debug"], { root: "/r", config: "/c", logLevel: "debug" }],
    [["--data", "/d", "--log-format", "json", "show-artifact"], { datastore: "/d", logFormat: "json" }],
    [["-d", "/a", "-d", "/b", "-b", "/f", "show-provides"], { datastore: "/b", fallbackConfig: "/f" }],
    [["--config=a=b", "daemon"], { config: "a=b" }],
    [
      ["--root", "/r", "install", "--config", "/c", "https://a/b?c=d"],
      { root: "/r", config: "/c", artifact: "https://a/b?c=d" },
    ],
    [["install", "--reboot-exit-code", "x"], { rebootExitCode: true, artifact: "x" }],
    [
      ["module", "rootfs-image", "Download", "/tree", "--root=/r"],
      { name: "rootfs-image", call: "Download", workTree: "/tree", root: "/r" },
    ],
  ])("is read at once, as the full parser reads it: %j", async (words, options) => {
    expect(parseQuickly(words)?.options).toEqual(options);
    expect(await parseFully(words)).toEqual(parseQuickly(words));
  });

  it.each([
    [[]],
    [["--help"]],
    [["daemon", "--help"]],
    [["daemon", "now"]],
    [["daemon", "daemon"]],
    [["install"]],
    [["install", ""]],
    [["install", "-x"]],
    [["install", "x", "y"]],
    [["resume", "--stop-before", "Cleanup"]],
    [["status", "--json", "true"]],
    [["status", "--json=false"]],
    [["status", "--no-json"]],
    [["--json", "status"]],
    [["module", "rootfs-image", "Download"]],
    [["module", "other", "Download", "/tree"]],
    [["toString"]],
    [["daemon", "--log-level", "loud"]],
    [["daemon", "--root"]],
    [["daemon", "--root", "--help"]],
    [["daemon", "--root="]],
    [["-c/etc/x", "daemon"]],
    [["daemon", "--passphrase-file", "-"]],
    [["daemon", "--"]],
  ])("is left to the full parser if it is anything else: %j", (words) => {
    expect(parseQuickly(words)).toBeUndefined();
  });

  it("means the same to both", () => {
    // A word that only the full parser takes, without meaning.
    const quick = upkeep(directory, "show-artifact");
    const full = upkeep(directory, "show-artifact", "--no-help");
    expect(quick.code).toBe(0);
    expect({ ...full, stderr: "" }).toEqual({ ...quick, stderr: "" });
  });

  it.each([
    ["install", "/no such artifact"],
    ["commit"],
    ["module", "rootfs-image", "NeedsArtifactReboot", "/no such tree"],
  ])("gives its words to the command, as the full parser does: %s", (...words) => {
    const quick = upkeep(directory, ...words);
    expect(quick.stdout + quick.stderr).not.toBe("");
    expect(upkeep(directory, ...words, "--no-help")).toEqual(quick);
  });
});
