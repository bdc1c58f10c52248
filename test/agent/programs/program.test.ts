import { describe, expect, it } from "vitest";
import { OUTPUT_LIMITS, OutputLines } from "../../../agent/programs/output-lines.ts";
import { describeEnd, startProgram } from "../../../agent/programs/program.ts";
import { linuxSystem } from "../../../agent/system/index.ts";

const system = linuxSystem();

function run(script: string, more: { timeoutMs?: number; answerBytesMax?: number; signal?: AbortSignal } = {}) {
  const lines: string[] = [];
  const program = startProgram(system, {
    command: "/bin/sh",
    args: ["-c", script],
    timeoutMs: 30_000,
    killGraceMs: 100,
    onLine: (line) => lines.push(line),
    ...more,
  });
  return { program, lines };
}

describe("a program that the agent runs", () => {
  it("has its output passed on line by line, both streams", async () => {
    const { program, lines } = run("echo one; printf tw; printf 'o\\r\\nthree'; echo bad >&2; exit 3");
    expect(await (await program).ended).toEqual({ kind: "exited", code: 3 });
    expect([...lines].sort()).toEqual(["bad", "one", "three", "two"]);
  });

  it("gives an answer that came in several pieces", async () => {
    const { program, lines } = run("printf Ye; sleep 0.05; echo s; echo about it >&2", { answerBytesMax: 100 });
    const started = await program;
    await started.ended;
    expect(started.answer()).toBe("Yes\n");
    expect(lines).toEqual(["about it"]);
  });

  it("is killed at its deadline, though it ignores the polite way", async () => {
    const { program } = run('trap "" TERM; while :; do sleep 0.05; done', { timeoutMs: 100 });
    const end = await (await program).ended;
    expect(end).toEqual({ kind: "timed-out" });
    expect(describeEnd(end, 100)).toBe("did not end within 0.1 s and was killed");
  });

  it("is stopped by a signal", async () => {
    const stop = new AbortController();
    const { program } = run("sleep 1000", { signal: stop.signal });
    const started = await program;
    stop.abort();
    expect(await started.ended).toEqual({ kind: "stopped" });
  });

  it("cannot fill the log", () => {
    const lines: string[] = [];
    const output = new OutputLines((line) => lines.push(line));
    output.write(Buffer.from("x".repeat(100_000)));
    output.write(Buffer.from(" still the same line\nnext\n"));
    expect(lines).toEqual([`${"x".repeat(OUTPUT_LIMITS.lineCharactersMax)} (line cut short)`, "next"]);
    for (let count = 0; count < 3000; count++) output.write(Buffer.from(`${"y".repeat(999)}\n`));
    output.end();
    expect(lines.join("\n").length).toBeLessThan(OUTPUT_LIMITS.totalCharactersMax + 2000);
    expect(lines.at(-1)).toBe("(more output than is kept: the rest of it is dropped)");
  });

  it("may cut a character in two", () => {
    const lines: string[] = [];
    const output = new OutputLines((line) => lines.push(line));
    for (const byte of Buffer.from("grün\nend")) output.write(Buffer.from([byte]));
    output.end();
    expect(lines).toEqual(["grün", "end"]);
  });
});
