import { printable } from "@upkeep/shared/text";

/** The answer as text: one line per item of a list. */
export function linesOf(answer: unknown): string {
  if (answer === undefined) return "";
  return Array.isArray(answer) ? answer.map(lineOf).join("\n") : lineOf(answer);
}

function lineOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return printable(String(value));
  return Object.entries(value)
    .map(([name, one]) => printable(`${name}=${typeof one === "object" ? JSON.stringify(one) : String(one)}`))
    .join(" ");
}
