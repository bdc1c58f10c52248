import { isUtf8 } from "node:buffer";
import { given } from "@upkeep/shared/given";
import { AgentError } from "../errors.ts";
import { describeEnd, type Program, type ProgramSystem, startProgram } from "../programs/program.ts";

/** The time limit of identity and inventory programs, as with the reference client. */
export const PROGRAM_LIMIT_MS = 10_000;
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 2000;
const OUTPUT_BYTES_MAX = 1024 * 1024;

const COMPLAINT_CHARACTERS_MAX = 300;

/**
 * Runs a short program of the device without arguments.
 * @param signal Ends the program when aborted.
 * @returns What it wrote to its standard output, byte by byte.
 * @throws AgentError `program-failed` if it cannot be started, fails, takes longer than ten seconds or
 * writes more than a mebibyte; the signal's reason.
 */
export async function outputOf(system: ProgramSystem, command: string, signal?: AbortSignal): Promise<Buffer> {
  const failed = (what: string, cause?: unknown): AgentError =>
    new AgentError("program-failed", `${command} ${what}`, { retryable: true, cause });
  const said: string[] = [];
  let program: Program;
  try {
    program = await startProgram(system, {
      command,
      args: [],
      timeoutMs: PROGRAM_LIMIT_MS,
      killGraceMs: GRACE_MS,
      answerBytesMax: OUTPUT_BYTES_MAX + 1,
      onLine: (line) => said.push(line),
      ...given({ signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw failed(`cannot be started: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const end = await program.ended;
  if (end.kind === "stopped") signal?.throwIfAborted();
  if (end.kind === "timed-out") throw failed(`took longer than ${PROGRAM_LIMIT_MS / 1000} s and was ended`);
  if (end.kind !== "exited" || end.code !== 0) {
    const complaint = said.join("\n").trim().slice(0, COMPLAINT_CHARACTERS_MAX);
    throw failed(`${describeEnd(end, PROGRAM_LIMIT_MS)}${complaint === "" ? "" : `: ${complaint}`}`);
  }
  const output = program.answerBytes();
  if (output.length > OUTPUT_BYTES_MAX) throw failed(`wrote more than ${OUTPUT_BYTES_MAX} bytes`);
  return output;
}

/** `key=value` lines by key, in the order in which the keys came; a key that came again has several values. */
export type KeyedLines = ReadonlyMap<string, string | readonly string[]>;

export interface ParsedLines {
  readonly lines: KeyedLines;
  /** The first line that is not `key=value`; those before it are in `lines`. */
  readonly fault: string | undefined;
  /** Lines with characters that servers refuse, and which. In `lines`, U+FFFD replaces them. */
  readonly inexact: readonly string[];
}

const REPLACEMENT = "\ufffd";
const SHOWN_CHARACTERS = 100;

/** For a message: the start of what a program wrote. */
export function shown(text: string): string {
  return `'${text.slice(0, SHOWN_CHARACTERS)}'`;
}

function inexactness(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return "bytes that are not UTF-8";
  return bytes.includes(0) ? "a NUL character" : undefined;
}

/** `crlf`: the CR of CR LF is part of the line's end; `lf`: it is part of the line. */
export type LineEnds = "crlf" | "lf";

/** Split at the first `=`, nothing trimmed, empty lines skipped. */
export function parseLines(output: Buffer, ends: LineEnds = "crlf"): ParsedLines {
  const lines = new Map<string, string | string[]>();
  const inexact: string[] = [];
  // A line break is one byte in UTF-8, and part of no other character.
  for (const raw of output.toString("latin1").split(ends === "crlf" ? /\r?\n|\r$/ : "\n")) {
    if (raw === "") continue;
    const bytes = Buffer.from(raw, "latin1");
    const line = bytes.toString("utf8").replaceAll("\0", REPLACEMENT);
    const equals = line.indexOf("=");
    if (equals <= 0) return { lines, fault: line, inexact };
    const what = inexactness(bytes);
    if (what !== undefined) inexact.push(`${shown(line)} with ${what}`);
    const key = line.slice(0, equals);
    const value = line.slice(equals + 1);
    const before = lines.get(key);
    if (before === undefined) lines.set(key, value);
    else if (typeof before === "string") lines.set(key, [before, value]);
    else before.push(value);
  }
  return { lines, fault: undefined, inexact };
}
