import { describe, expect, it } from "vitest";
import type { Subject } from "./interruptions.ts";

interface Entry {
  readonly PRIORITY: string;
  readonly MESSAGE: string;
}

/** Levels of the journal, as numbers of syslog. */
const LEVEL = { error: "3", info: "6", debug: "7" } as const;

/** The agent's lines in the journal: one entry each, with the level that it has for the agent. */
export function itLogsToTheJournal(subject: () => Subject): void {
  const entries = () =>
    subject()
      .device.output("journalctl --unit upkeep --output json --output-fields PRIORITY,MESSAGE --no-pager _COMM=upkeep")
      .split("\n")
      .map((line) => JSON.parse(line) as Entry);

  describe("the journal", () => {
    it("has no time stamp and no level within a line: it has both itself", () => {
      for (const { MESSAGE } of entries())
        expect(MESSAGE).not.toMatch(/^<\d>|^\d{4}-\d\d-\d\d|^(info|debug|error|warning)\b/i);
    });

    it("has what went well as information", () => {
      const found = entries().filter(({ MESSAGE }) => MESSAGE.includes("the daemon has started"));
      expect(found.map(({ PRIORITY }) => PRIORITY)).toContain(LEVEL.info);
    });

    it("has what an update module says, and its failure as an error", async () => {
      const { setting, device, id } = subject();
      const file = { name: "fails.sh", content: Buffer.from("#!/bin/sh\necho this update cannot be >&2\nexit 7\n") };
      const deployment = await setting.deploy("script", "fails-1", file, id);
      const [result] = await setting.server.management.finished(deployment, () => device.journal());
      expect(result?.status).toBe("failure");
      const severe = device.output("journalctl --unit upkeep --priority err --output cat --no-pager");
      expect(severe).toMatch(/ArtifactInstall.*7|exit code 7/);
      expect(device.journal()).toContain("this update cannot be");
      expect(entries().some(({ PRIORITY }) => PRIORITY === LEVEL.error)).toBe(true);
    });

    it("has debugging lines, as the configuration asks for them", () => {
      expect(subject().device.output("cat /etc/mender/mender.conf")).toContain('"DaemonLogLevel":"debug"');
      expect(entries().some(({ PRIORITY }) => PRIORITY === LEVEL.debug)).toBe(true);
    });
  });
}
