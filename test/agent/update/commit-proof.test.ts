import { describe, expect, it } from "vitest";
import { AgentError } from "../../../agent/errors.ts";
import { OFFLINE, World, type WorldOptions } from "../support/world.ts";

const MINUTE_MS = 60_000;
const BEHAVIOUR = { answers: { SupportsRollback: "Yes", NeedsArtifactReboot: "Automatic" } };
const REFUSED = new AgentError("unauthorized", "the server does not accept this device", { retryable: true });
const NOT_YET_VALID = new AgentError("certificate-not-yet-valid", "its certificate is not valid yet", {
  retryable: true,
});

const ROUTES = "Iface\tDestination\tGateway\nlo\t0000007F\t00000000\n";

/** A world whose server cannot be reached by the new software, for ever or until a number of tries. */
function away(options: WorldOptions = {}, fault = OFFLINE, triesInVain = Number.POSITIVE_INFINITY): World {
  return new World({
    behaviour: BEHAVIOUR,
    login: (nth) => (nth <= triesInVain ? fault : undefined),
    tries: 2,
    ...options,
  });
}

function connect(world: World, state = "up", inter = "eth0"): void {
  world.files.put("/proc/net/route", `${ROUTES}${inter}\t00000000\t0100A8C0\n`);
  world.files.put(`/sys/class/net/${inter}/operstate`, `${state}\n`);
  world.files.put("/sys/class/net/lo/operstate", "unknown\n");
}

/** How long the device took from its reboot to the end. */
async function minutesOf(world: World): Promise<number> {
  const before = world.time.monotonic();
  await world.deploy();
  return (world.time.monotonic() - before) / MINUTE_MS;
}

describe("an update whose new software cannot reach the server", () => {
  it("is tried for as long as configured, and then rolled back", async () => {
    const short = away({ settings: { commitTimeoutMs: 10 * MINUTE_MS } });
    expect(await minutesOf(short)).toBe(10);
    expect(short.finals).toEqual(["failure"]);
    expect(short.software).toBe("old");
    expect(short.logs[0]?.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("the server could not be reached for 600 s with the new software"),
    );
    const patient = away({ settings: { commitTimeoutMs: 24 * 60 * MINUTE_MS } }, OFFLINE, 1000);
    // The first four pauses are short: 37 s in all.
    expect(await minutesOf(patient)).toBeCloseTo(996 + 37 / 60);
    expect(patient.finals).toEqual(["success"]);
  });

  it("is rolled back at once where no time is given", async () => {
    const world = away({ settings: { commitTimeoutMs: 0 } });
    expect(await minutesOf(world)).toBe(0);
    expect(world.trace.filter((entry) => entry === "login")).toHaveLength(1);
    expect(world.finals).toEqual(["failure"]);
  });

  it("is committed where a local network is enough, and says so", async () => {
    const world = away({ settings: { commitConnectivity: "local" } });
    connect(world);
    await world.deploy();
    expect(world.finals).toEqual(["success"]);
    expect(world.logged).toContainEqual(
      expect.stringMatching(/committing all the same, as the configuration allows it and eth0 is connected/),
    );
  });

  it.each([
    ["nothing but itself", (world: World) => world.files.put("/proc/net/route", ROUTES)],
    ["a link that is down", (world: World) => connect(world, "down")],
    ["a cable that is not there", (world: World) => connect(world, "lowerlayerdown", "wlan0")],
  ])("is rolled back where a local network would be enough, with %s", async (_name, prepare) => {
    const world = away({ settings: { commitConnectivity: "local" } });
    prepare(world);
    await world.deploy();
    expect(world.finals).toEqual(["failure"]);
    expect(world.software).toBe("old");
  });

  it("counts an IPv6 address as one, but not that of a link alone", async () => {
    const address = (scope: string) => `fe800000000000000000000000000001 02 40 ${scope} 80 eth0\n`;
    for (const [scope, final] of [
      ["20", "failure"],
      ["00", "success"],
    ] as const) {
      const world = away({ settings: { commitConnectivity: "local" } });
      world.files.put("/proc/net/if_inet6", address(scope));
      world.files.put("/sys/class/net/eth0/operstate", "up\n");
      await world.deploy();
      expect(world.finals, scope).toEqual([final]);
    }
  });

  it("is rolled back when the server is there and does not know it any more, local network or not", async () => {
    const world = away({ settings: { commitConnectivity: "local" } }, REFUSED);
    connect(world);
    await world.deploy();
    expect(world.finals).toEqual(["failure"]);
  });

  it("heeds an abort that the server answers with", async () => {
    const world = new World({
      behaviour: BEHAVIOUR,
      answer: (status, nth) =>
        (status === "installing" && nth === 2) || status === "failure" ? "aborted" : "accepted",
    });
    expect(await world.deploy()).toMatchObject({ status: "failure", reported: "aborted" });
    expect(world.software).toBe("old");
  });
});

describe("a clock that is not synchronised after the reboot", () => {
  it("is named in the log, and waited for: the next try comes as soon as it is set", async () => {
    const world = away({}, NOT_YET_VALID, 4);
    const start = world.time.monotonic();
    const setAfterMs = 25_000;
    world.time.wallErrorMs = (now) => (world.rebooted && now < start + setAfterMs ? -start : 0);
    await world.deploy();
    expect(world.finals).toEqual(["success"]);
    // Tries after 2, 7 and 17 s; then the clock is looked at every 10 s.
    expect(world.time.monotonic() - start).toBe(27_000);
    expect(world.logged).toContainEqual(
      expect.stringMatching(
        /its certificate is not valid yet\); the clock is not synchronised yet: it says 1970-01-01T00:00:00\.000Z, but the update began at 2026-01-01T/,
      ),
    );
  });

  it("is waited for within the same limit, and then the device is rolled back", async () => {
    const world = away({ settings: { commitTimeoutMs: 5 * MINUTE_MS } }, NOT_YET_VALID);
    const start = world.time.monotonic();
    world.time.wallErrorMs = () => (world.rebooted ? -start : 0);
    await world.deploy();
    expect((world.time.monotonic() - start) / MINUTE_MS).toBe(5);
    expect(world.finals).toEqual(["failure"]);
    expect(world.software).toBe("old");
  });

  it("is suspected where the certificate alone says so", async () => {
    const world = away({}, NOT_YET_VALID, 1);
    await world.deploy();
    expect(world.logged).toContainEqual(
      expect.stringMatching(/the clock, which says 2026-.*, may not be synchronised yet/),
    );
    expect(world.finals).toEqual(["success"]);
  });
});
