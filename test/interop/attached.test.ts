import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseScenario } from "../../mock-server/scenarios/index.ts";
import { type Program, startProgram } from "../support/program.ts";
import { until } from "../support/waiting.ts";
import { startMenderClient } from "./mender-client.ts";
import { describePeer } from "./peers.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");
/** The exit code where nothing could be run. */
const NOT_POSSIBLE = 77;
const LIBRARY = join(import.meta.dirname, "../scenarios");

const ATTACHED = readdirSync(LIBRARY, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".yaml"))
  .filter((path) => parseScenario(readFileSync(join(LIBRARY, path), "utf8"), path).attached)
  .sort();

test("at least five scenarios are known to run with a device on the desk", () => {
  expect(ATTACHED.length).toBeGreaterThanOrEqual(5);
});

describePeer(["mender"], "the real mender-client, attached to a scenario", () => {
  let folder: string;
  let client: Program | undefined;
  let runner: Program | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-attached-"));
  });

  afterEach(async () => {
    await runner?.stop();
    await client?.stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(ATTACHED)("%s", async (scenario) => {
    const program = startProgram(process.execPath, [
      ...[UPKEEP_SERVER, "scenario", "run", join(LIBRARY, scenario)],
      ...["--attach", "02:00:5e:00:53:09", "--listen", "127.0.0.1:0"],
    ]);
    runner = program;
    const port = await until("it waits for the device", () => /at port (\d+)/.exec(program.output())?.[1], {
      explain: program.output,
    });
    client = startMenderClient({
      folder,
      serverUrl: `http://127.0.0.1:${port}`,
      deviceType: "board",
      mac: "02:00:5e:00:53:09",
    });
    const end = await program.ended;
    expect(`${end}\n${end === 0 ? "" : `${program.output()}\n${client.output()}`}`).toBe("0\n");
    expect(program.output()).toContain("1 of 1 scenarios went as expected");
  });
});

test("what cannot be done with a device on the desk is said by name, and nothing is run", async () => {
  const program = startProgram(process.execPath, [
    ...[UPKEEP_SERVER, "scenario", "run", join(LIBRARY, "05-power/power-cut-while-installing.yaml")],
    ...["--attach", "next", "--listen", "127.0.0.1:0"],
  ]);
  expect(await program.ended).toBe(NOT_POSSIBLE);
  expect(program.output()).toContain("not possible here: power_cut: the power of the device is not in our hands");
});
