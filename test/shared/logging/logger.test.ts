import { createLogger, type LogFormat, type LogLevel } from "@upkeep/shared/logging";
import { expect, test } from "vitest";
import { fc } from "../../support/fast-check.ts";

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function lines(format: LogFormat, level: LogLevel = "trace") {
  const written: string[] = [];
  return { written, logger: createLogger({ format, level, now: () => at, write: (line) => written.push(line) }) };
}

test("json: one object a line, with time, level, message and fields", () => {
  const { written, logger } = lines("json");
  logger.with({ deployment: "d1" }).warning("low space", { freeBytes: 5 });
  expect(written).toHaveLength(1);
  expect(JSON.parse(written[0] ?? "")).toEqual({
    time: "2026-01-02T03:04:05.678Z",
    level: "warning",
    message: "low space",
    deployment: "d1",
    freeBytes: 5,
  });
});

test("journal: the priority that journald knows, and no time of its own", () => {
  const { written, logger } = lines("journal");
  for (const level of ["fatal", "error", "warning", "info", "debug"] as const) logger[level]("m");
  expect(written).toEqual(["<2>m\n", "<3>m\n", "<4>m\n", "<6>m\n", "<7>m\n"]);
});

test("human and brief: for a person, with colours only if they are wanted", () => {
  const shown = (format: LogFormat, colours: boolean): string[] => {
    const written: string[] = [];
    const write = (line: string) => written.push(line);
    const logger = createLogger({ format, colours, level: "info", now: () => at, write });
    logger.info("module: copying");
    logger.warning("low space");
    return written;
  };
  expect(shown("human", false)).toEqual(["03:04:05.678 info    module: copying\n", "03:04:05.678 warning low space\n"]);
  expect(shown("brief", false)).toEqual(["module: copying\n", "warning: low space\n"]);
  expect(shown("brief", true)).toEqual(["module: copying\n", "\x1b[33mwarning:\x1b[0m low space\n"]);
  expect(shown("human", true)[1]).toBe("\x1b[90m03:04:05.678\x1b[0m \x1b[33mwarning\x1b[0m low space\n");
});

test("an event is one line, whatever its message holds", () => {
  const { written, logger } = lines("plain");
  logger.info("first\nsecond\r", { output: "a b" });
  expect(written).toEqual(['2026-01-02T03:04:05.678Z info first\\nsecond\\r output="a b"\n']);
});

test("what is below the level is not written", () => {
  const { written, logger } = lines("human", "warning");
  logger.info("no");
  logger.error("yes");
  expect(written).toHaveLength(1);
  expect(written[0]).toContain("yes");
});

test("an error keeps its text, its kind and its stack", () => {
  const { written, logger } = lines("json");
  logger.error("failed", { error: new TypeError("no such key") });
  expect(JSON.parse(written[0] ?? "")).toMatchObject({
    error: { type: "TypeError", message: "no such key", stack: expect.stringContaining("logger.test") },
  });
});

test("whatever texts and numbers an event has, its line is JSON that tells them again, fields in their order", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.dictionary(fc.string({ unit: "binary" }), fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean())),
      (message, fields) => {
        const { written, logger } = lines("json");
        logger.info(message, fields);
        const own = Object.keys(fields).filter((name) => !["time", "level", "message", "error"].includes(name));
        const told = JSON.parse(written.join("")) as Record<string, unknown>;
        expect(written.join("")).toMatch(/^[^\n]*\n$/);
        expect(told.message).toBe("message" in fields ? told.message : message);
        for (const name of own) expect(told[name]).toBe(fields[name]);
        expect(Object.keys(told).filter((name) => own.includes(name))).toEqual(own);
      },
    ),
  );
});

test("a line says the same, whether one of its fields is more than a text or a number or not", () => {
  const { written, logger } = lines("json");
  logger.info("m", { device: "d", ms: 1 });
  logger.info("m", { device: "d", ms: 1, more: null });
  expect(written[1]).toBe(written[0]?.replace('"ms":1', '"ms":1,"more":null'));
  const quiet = lines("json", "warning");
  quiet.logger.info("m", { device: "d" });
  expect(quiet.written).toEqual([]);
});
