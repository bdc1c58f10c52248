import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describePeer, requirePeer } from "../../interop/peers.ts";
import { startProgram } from "../../support/program.ts";
import { describePostgres } from "../postgres/describe.ts";
import { startPostgres } from "../postgres/server.ts";
import { begun, buildReporter } from "./reporting.ts";
import { readTrace, syncs } from "./trace.ts";

const STATUSES = 60;
const LIMITED = { environment: { UPKEEP_REPORTS_MAX: String(STATUSES) } };

/** Traces what is written and synced, with the names of the files and the bytes. */
function tracer(output: string, calls: string): string[] {
  return [requirePeer("strace"), "-f", "-y", "-s", "200000", "-e", `trace=${calls}`, "-o", output];
}

describePeer(["strace"], "A system-call trace shows", () => {
  let folder: string;
  let reporter: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-trace-"));
    reporter = await buildReporter(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("that SQLite's log is synced after each status was written to it and before the status is acknowledged", async () => {
    const { id, devices } = await begun({ directory: folder });
    const output = join(folder, "trace");
    const [strace = "", ...flags] = tracer(output, "write,pwrite64,fsync,fdatasync");
    const program = startProgram(strace, [...flags, process.execPath, reporter, folder, id, ...devices], LIMITED);
    expect(await program.ended, program.output()).toBe(0);

    const calls = readTrace(readFileSync(output, "utf8"));
    const synced = syncs(calls, /upkeep\.sqlite-wal$/);
    const acknowledgements = calls.flatMap((call) => {
      const mark = call.name === "write" ? /^1<.*"[^"]* (mark-\d{8})\\n"/.exec(call.text)?.[1] : undefined;
      return mark === undefined ? [] : [{ mark, at: call.began }];
    });
    expect(acknowledgements.length).toBeGreaterThanOrEqual(STATUSES);
    for (const { mark, at } of acknowledgements) {
      const written = calls.find((call) => call.name === "pwrite64" && call.text.includes(mark));
      expect(written, `${mark} is in the log`).toBeDefined();
      const sync = synced.find((one) => one.began > (written?.ended ?? 0) && one.ended < at);
      expect(sync, `a sync between the writing of ${mark} and its acknowledgement`).toBeDefined();
    }
    // Groups: fewer syncs than statuses.
    expect(synced.length).toBeLessThan(acknowledgements.length);
  });

  describePostgres("with PostgreSQL", () => {
    test("that its log is synced before any commit is answered", async () => {
      const output = join(tmpdir(), `upkeep-trace-${process.pid}`);
      const under = tracer(output, "pwrite64,fsync,fdatasync,sendto");
      const postgres = await startPostgres({ durable: true, under });
      try {
        const { id, devices } = await begun(postgres);
        const program = startProgram(process.execPath, [reporter, postgres.url, id, ...devices], LIMITED);
        expect(await program.ended, program.output()).toBe(0);
      } finally {
        await postgres.stop();
      }
      const calls = readTrace(readFileSync(output, "utf8"));
      rmSync(output);
      const synced = syncs(calls, /pg_wal/);
      const written = calls.filter(({ name, text }) => name === "pwrite64" && text.includes("pg_wal"));
      const answered = calls.filter(({ name, text }) => name === "sendto" && text.includes("COMMIT"));
      expect(answered.length).toBeGreaterThanOrEqual(5);
      for (const answer of answered) {
        const before = written.filter(({ ended }) => ended < answer.began);
        const last = before.findLast(({ process }) => process === answer.process);
        if (last === undefined) continue;
        const sync = synced.find((one) => one.began > last.ended && one.ended < answer.began);
        expect(sync, `a sync between the writing of ${last.began} and the answer ${answer.began}`).toBeDefined();
      }
    });
  });
});
