import { ArtifactCommandError } from "./run.ts";

const UNITS: Readonly<Record<string, number>> = { "": 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Bytes of a size such as `5MB`, `1.5GB` or `5000000`. @param flag Its name without dashes. */
export function sizeOf(flag: string, text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d*)?)([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = UNITS[unit.toUpperCase()];
  if (number === undefined || factor === undefined) {
    const right = "a number with B, KB, MB, GB or TB, such as 1.5GB";
    throw new ArtifactCommandError("usage", `--${flag}: "${text}" is no size; it must be ${right}`);
  }
  return Math.floor(Number(number) * factor);
}
