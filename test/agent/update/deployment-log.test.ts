import { noopLogger } from "@upkeep/shared/logging";
import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { describe, expect, it } from "vitest";
import { DeploymentLog } from "../../../agent/update/deployment-log.ts";
import { MemoryFiles } from "../support/memory-files.ts";

const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), monotonic: () => 0 };
const open = (files: MemoryFiles, deployment: string, outer = noopLogger) =>
  DeploymentLog.open({ files, clock, directory: "/logs", deployment, outer });

describe("a deployment log", () => {
  it("is written as JSON lines, passed on, and sent as messages", async () => {
    const files = new MemoryFiles();
    const heard: string[] = [];
    const log = await open(files, "d-1", { ...noopLogger, info: (line) => heard.push(line) });
    log.logger.info("one");
    log.logger.error("two", { code: 5 });
    log.logger.debug("too fine");
    const expected = [
      { timestamp: "2026-01-02T03:04:05.000Z", level: "info", message: "one" },
      { timestamp: "2026-01-02T03:04:05.000Z", level: "error", message: 'two {"code":5}' },
    ];
    expect(await log.messages()).toEqual(expected);
    await log.close();
    const lines = files.text("/logs/deployments.0000.d-1.log")?.trim().split("\n") ?? [];
    expect(lines.map((line) => JSON.parse(line))).toEqual(expected);
    expect(heard).toEqual(["one"]);
  });

  it("goes on after a restart", async () => {
    const files = new MemoryFiles();
    for (const message of ["before", "after"]) {
      const log = await open(files, "d-1");
      log.logger.info(message);
      await log.close();
    }
    const log = await open(files, "d-1");
    expect((await log.messages()).map(({ message }) => message)).toEqual(["before", "after"]);
  });

  it("is numbered from the newest, and five are kept", async () => {
    const files = new MemoryFiles();
    for (const id of ["a", "b", "c", "d", "e", "f", "g"]) {
      const log = await open(files, id);
      log.logger.info(id);
      await log.close();
    }
    expect(files.below("/logs")).toEqual(
      ["0000.g", "0001.f", "0002.e", "0003.d", "0004.c"].map((name) => `/logs/deployments.${name}.log`),
    );
    await open(files, "e");
    expect(files.below("/logs")[0]).toBe("/logs/deployments.0000.e.log");
    expect(files.text("/logs/deployments.0000.e.log")).toContain('"e"');
  });

  it("lets go of older ones when the disk is nearly full", async () => {
    const files = new MemoryFiles();
    for (const id of ["a", "b", "c"]) await (await open(files, id)).close();
    files.freeBytesSaid = 100;
    await open(files, "d");
    expect(files.below("/logs")).toEqual(["/logs/deployments.0000.d.log", "/logs/deployments.0001.c.log"]);
  });

  it("marks what is corrupted, and says so at the top", async () => {
    const files = new MemoryFiles();
    const good = '{"timestamp":"2026-01-02T03:04:05Z","level":"info","message":"good"}';
    files.put("/logs/deployments.0000.d.log", `${good}\n{"timest\n${good}\n\0\0\0\n{"level":"info","message":"x"}\n`);
    const log = await open(files, "d");
    expect((await log.messages()).map(({ message }) => message)).toEqual([
      "(parts of this log are corrupted: they are marked)",
      ...["good", "(CORRUPTED LOG DATA)", "good", "(CORRUPTED LOG DATA)", "(CORRUPTED LOG DATA)"],
    ]);
  });

  it("keeps the end when it is too long for the server", async () => {
    for (const padding of ["x".repeat(900), "ä".repeat(700), ""]) {
      const files = new MemoryFiles();
      const log = await open(files, "d");
      for (let number = 0; number < 20_000; number++) log.logger.info(`${number} ${padding}`);
      const messages = await log.messages();
      const bytes = Buffer.byteLength(JSON.stringify({ messages }));
      expect(bytes).toBeLessThanOrEqual(PROTOCOL_LIMITS.logBytesMax);
      expect(bytes).toBeGreaterThan(PROTOCOL_LIMITS.logBytesMax - 3000);
      expect(messages[0]?.message).toBe("(the beginning of this log is left out: it is too long for the server)");
      expect(messages.at(-1)?.message).toBe(`19999 ${padding}`);
      expect(messages.some(({ message }) => message.includes("CORRUPTED"))).toBe(false);
    }
  });

  it("is never empty", async () => {
    const log = await open(new MemoryFiles(), "d");
    expect((await log.messages()).map(({ message }) => message)).toEqual(["(nothing was logged)"]);
  });
});
