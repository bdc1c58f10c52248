import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Files, SystemError } from "@upkeep/shared/system";
import { describe, expect, it } from "vitest";
import { firstPollDelay } from "../../../agent/daemon/boot.ts";
import { linuxFiles } from "../../../agent/system/files.ts";
import { linuxRandom } from "../../../agent/system/random.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const UNIT = { NOTIFY_SOCKET: "/run/systemd/notify" };

/** The door of a machine whose /proc/uptime holds `text`. */
function door(text: string, fraction = 0.5) {
  const path = join(directory, "uptime");
  writeFileSync(path, text);
  const elsewhere = (given: string): string => (given === "/proc/uptime" ? path : given);
  const files: Files = {
    ...linuxFiles,
    status: (given) => linuxFiles.status(elsewhere(given)),
    open: (given, mode) => linuxFiles.open(elsewhere(given), mode),
  };
  return { files, random: { ...linuxRandom, fraction: () => fraction } };
}

describe("the first poll", () => {
  it("waits for a random time when systemd starts the daemon with the machine", async () => {
    expect(await firstPollDelay(door("21.04 40.11\n"), UNIT, 60_000)).toBe(30_000);
    expect(await firstPollDelay(door("599.99 40.11\n", 0.25), UNIT, 60_000)).toBe(15_000);
    // A check is not told where to notify systemd.
    expect(await firstPollDelay(door("21.04 40.11\n"), { INVOCATION_ID: "9f" }, 60_000)).toBe(30_000);
  });

  it.each([
    ["when the machine has been up for long", "601.00 40.11\n", UNIT, 60_000],
    ["when somebody starts the daemon by hand", "21.04 40.11\n", {}, 60_000],
    ["when no delay is configured", "21.04 40.11\n", UNIT, 0],
    ["when the machine does not say how long it has been up", "?", UNIT, 60_000],
  ])("comes at once %s", async (_name, text, environment, longestMs) => {
    expect(await firstPollDelay(door(text), environment, longestMs)).toBe(0);
  });

  it("comes at once where the uptime cannot be read", async () => {
    const { files, random } = door("");
    const status = async (): Promise<never> => {
      throw new SystemError("EACCES", "no");
    };
    expect(await firstPollDelay({ files: { ...files, status }, random }, UNIT, 60_000)).toBe(0);
  });
});
