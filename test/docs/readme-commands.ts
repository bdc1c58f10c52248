import { type FencedBlock, fencedBlocks } from "./fenced-blocks.ts";

/** One command of a block of shell commands in a README. */
export interface ReadmeCommand {
  /** Where it begins in the file. */
  readonly line: number;
  /** On one line, without a comment. */
  readonly text: string;
  /** The heading above it. */
  readonly section: string;
}

/** What a test does with a command. */
export type Treatment =
  | { readonly kind: "run"; readonly exits?: number; readonly before?: string; readonly after?: string }
  /** It goes on until the next one of its kind, or the end: the test waits until it is ready. */
  | { readonly kind: "server" | "daemon"; readonly before?: string; readonly after?: string }
  | { readonly kind: "not-run"; readonly why: string };

export interface Rule {
  /** What the command begins with; a part of it, if it is a pattern. */
  readonly command: string | RegExp;
  readonly treatment: Treatment;
}

const COMMENT = /\s{2,}# .*$/;

/** All commands of the blocks marked as `sh`, in their order. */
export function readmeCommands(readme: string): readonly ReadmeCommand[] {
  const blocks = fencedBlocks(readme).filter(({ info }) => info === "sh");
  return blocks.flatMap(commandsIn);
}

function commandsIn({ line, content, section }: FencedBlock): readonly ReadmeCommand[] {
  const commands: ReadmeCommand[] = [];
  let begun: ReadmeCommand | undefined;
  for (const [index, text] of content.entries()) {
    if (text.trim() === "") continue;
    const goesOn = text.endsWith("\\");
    const part = (goesOn ? text.slice(0, -1) : text.replace(COMMENT, "")).trim();
    begun =
      begun === undefined ? { line: line + index, text: part, section } : { ...begun, text: `${begun.text} ${part}` };
    if (goesOn) continue;
    commands.push(begun);
    begun = undefined;
  }
  return commands;
}

/** The first rule that is for a command. */
export function ruleOf({ text }: ReadmeCommand, rules: readonly Rule[]): Rule | undefined {
  return rules.find(({ command }) => (typeof command === "string" ? text.startsWith(command) : command.test(text)));
}

/** How many commands a person types: those of one line, joined by `&&`, `;` or `|` or in `$(…)`, count each. */
export function typedCommands({ text }: ReadmeCommand): number {
  return withoutQuotes(text).split(/&&|\|\||[;|]|\$\(/).length;
}

function withoutQuotes(text: string): string {
  return text.replaceAll(/'[^']*'|"(?:[^"$]|\$(?!\())*"/g, "''");
}
