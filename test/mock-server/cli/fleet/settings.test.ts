import { describe, expect, test } from "vitest";
import { realSettingsOf, simulatedSettingsOf } from "../../../../mock-server/cli/fleet/fleet-settings.ts";
import {
  parseCount,
  parseDurations,
  parseShare,
  parseSizes,
  parseWeights,
} from "../../../../mock-server/cli/fleet/ranges.ts";

const GIVEN = {
  devices: 3,
  server: "http://updates.example.com/",
  types: "board",
  "artifact-name": "v1",
  poll: "30m",
  inventory: "8h",
  jitter: "10%",
  retry: "5m",
  "start-over": "30s",
  install: "5s..30s",
  reboot: "none",
  failures: "0%",
  seed: "fleet",
  "tenant-token": "",
  connections: 64,
  "errors-max": "0%",
};

describe("distributions on the command line", () => {
  test("are one value or a range", () => {
    expect(parseDurations("poll", "30s..5m")).toEqual({ least: 30_000, most: 300_000 });
    expect(parseDurations("poll", "30s")).toEqual({ least: 30_000, most: 30_000 });
    expect(parseSizes("speed", "500kB..1.5MiB")).toEqual({ least: 500_000, most: 1_572_864 });
    expect(parseShare("failures", "2.5%")).toBe(0.025);
    expect([...parseWeights("types", "board=3,gateway")]).toEqual([
      ["board", 3],
      ["gateway", 1],
    ]);
    expect(parseCount("devices", 5, 1, 10)).toBe(5);
  });

  test.each([
    [() => parseDurations("poll", "5m..30s"), '--poll "5m..30s": must be one value or LEAST..MOST'],
    [() => parseDurations("poll", "1s..2s..3s"), '--poll "1s..2s..3s": must be one value'],
    [() => parseDurations("poll", "1s..soon"), '--poll "soon": must be a time'],
    [() => parseSizes("speed", "1 MB"), '--speed "1 MB": must be a size'],
    [() => parseShare("failures", "2"), '--failures "2": must be a percentage'],
    [() => parseShare("failures", "101%"), '--failures "101%": must be a percentage'],
    [() => parseWeights("types", "a=1,a=2"), '--types "a=1,a=2": must be names with their shares'],
    [() => parseWeights("types", "a=0"), '--types "a=0": must be names'],
    [() => parseCount("devices", 0, 1, 10), "--devices 0: must be a whole number from 1 to 10"],
    [() => parseCount("devices", undefined, 1, 10), "--devices undefined: must be a whole number"],
  ])("%# are refused, naming the option and the value", (parse, message) => {
    expect(parse).toThrow(message);
  });
});

describe("the settings of a fleet", () => {
  test("are what the options say", () => {
    expect(realSettingsOf({ ...GIVEN, reconnect: true, until: "updates=2", duration: "10s" }, {})).toMatchObject({
      plan: { devices: 3, server: "http://updates.example.com", rebootMs: undefined, speed: { least: 0, most: 0 } },
      keepAlive: false,
      until: { kind: "updates", count: 2 },
      durationMs: 10_000,
    });
  });

  test.each([
    [{ server: undefined }, "--server: say which server"],
    [{ server: "ftp://x" }, '--server "ftp://x": must be a URL'],
    [{ server: "http://user:secret@x" }, "--server"],
    [{ "artifact-name": "" }, "--artifact-name: must not be empty"],
    [{ devices: 1_000_001 }, "--devices 1000001: must be a whole number"],
    [{ until: "updates=0" }, '--until "updates=0": must be in, or updates=COUNT'],
    [{ duration: "soon" }, '--duration "soon"'],
  ])("%j is refused", (wrong, message) => {
    expect(() => realSettingsOf({ ...GIVEN, ...wrong }, {})).toThrow(message);
  });
});

describe("the settings of a simulated fleet", () => {
  const simulated = {
    ...GIVEN,
    server: undefined,
    connections: 1024,
    poll: undefined,
    days: 7,
    "deploy-at": "12h",
    phases: "1%,10%@1d,rest@2d",
    retries: 0,
    "artifact-size": "4MB",
    accept: false,
  };

  test("have intervals of their own, and phases", () => {
    expect(simulatedSettingsOf(simulated).plan).toMatchObject({
      fleet: { pollMs: { least: 43_200_000, most: 86_400_000 } },
      phases: [
        { percent: 1, afterMs: 0 },
        { percent: 10, afterMs: 86_400_000 },
        { percent: undefined, afterMs: 172_800_000 },
      ],
      artifactBytes: 4_000_000,
    });
    expect(simulatedSettingsOf({ ...simulated, phases: "rest" }).plan.phases).toEqual([
      { percent: undefined, afterMs: 0 },
    ]);
  });

  test.each([
    [{ phases: "10%,50%@1d" }, '--phases "10%,50%@1d": must be shares with their beginning'],
    [{ phases: "10%@1d,rest@2d" }, "--phases"],
    [{ phases: "10%,rest" }, "--phases"],
    [{ days: 0 }, "--days 0: must be a whole number from 1 to 366"],
    [{ server: "http://x" }, "--server is for real servers, and --simulate has none"],
    [{ accept: true }, "--accept is for real servers"],
  ])("%j is refused", (wrong, message) => {
    expect(() => simulatedSettingsOf({ ...simulated, ...wrong })).toThrow(message);
  });
});
