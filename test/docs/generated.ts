import { IDLE_KEYS, KEYS, type KeyFacts, type KeyType } from "../../agent/config/keys.ts";
import { STATE_NAMES, stateOf } from "../../agent/update/states.ts";

/** The name of a generated part of agent/README.md, and what belongs there. */
export const GENERATED: Readonly<Record<string, () => string>> = { states: stateDiagram, keys: keyTable };

/**
 * `readme` with every generated part as it should be.
 * @throws Error naming the part whose marks are missing.
 */
export function regenerated(readme: string): string {
  let text = readme;
  for (const [name, generate] of Object.entries(GENERATED)) {
    const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`agent/README.md has no part between ${begin} and ${end}`);
    text = `${text.slice(0, from + begin.length)}\n\n${generate()}\n\n${text.slice(to)}`;
  }
  return text;
}

/** The table of states as a Mermaid diagram, and what a restart in each state means. */
export function stateDiagram(): string {
  const lines = ["```mermaid", "stateDiagram-v2", "  [*] --> Download: a deployment, or upkeep install"];
  for (const name of STATE_NAMES) {
    const outcomes = new Map<string, string[]>();
    for (const [outcome, { to }] of Object.entries(stateOf(name).next)) {
      outcomes.set(to, [...(outcomes.get(to) ?? []), outcome]);
    }
    for (const [to, labels] of outcomes) lines.push(`  ${name} --> ${to}: ${labels.join(", ")}`);
  }
  lines.push("  Idle --> [*]", "```", "", ...restartTable());
  return lines.join("\n");
}

function restartTable(): string[] {
  const rows = STATE_NAMES.map((name) => {
    const { doing, report, restart, restartByHand } = stateOf(name);
    const told = report === undefined ? "" : report.status === "outcome" ? "success or failure" : report.status;
    const byHand = restartByHand === undefined ? "" : ` (an update by hand: ${restartByHand})`;
    return [name, doing, told, restart === undefined ? "(as the state before)" : `${restart}${byHand}`];
  });
  return table(["State", "What the agent is doing", "Status reported", "After a restart it goes on with"], rows);
}

/** Every key of the configuration. */
export function keyTable(): string {
  const rows = Object.entries<KeyFacts>(KEYS).map(([name, facts]) => [
    `\`${name}\`${facts.own ? " (own)" : ""}`,
    describeType(facts.type),
    describeDefault(facts),
    facts.meaning,
  ]);
  const idle = Object.entries(IDLE_KEYS).map(([name, why]) => [`\`${name.replace(/\.$/, ".*")}\``, why]);
  return [
    ...table(["Key", "Value", "Default", "Meaning"], rows),
    "",
    "Keys of the reference client that change nothing here:",
    "",
    ...table(["Key", "Why"], idle),
  ].join("\n");
}

function describeDefault({ default: value, unit }: KeyFacts): string {
  if (value === undefined || value === "") return "";
  return `${value}${unit === undefined ? "" : ` ${unit}`}`;
}

function describeType(type: KeyType): string {
  switch (type.kind) {
    case "choice":
      return type.choices.map((choice) => `\`${choice}\``).join(", ");
    case "whole":
      return `${type.least} to ${type.most}`;
    case "switch":
      return "`true`, `false`";
    case "servers":
      return '`[{"ServerURL": "…"}, …]`';
    case "paths":
      return "list of paths";
    case "url":
      return "URL";
    default:
      return type.kind;
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
