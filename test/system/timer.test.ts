import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { until } from "../support/waiting.ts";
import { systemFault } from "./support/base.ts";
import { tabulateCases } from "./support/case-table.ts";
import type { SystemDevice } from "./support/device.ts";
import { HELD, holdAt, installHeldModule, letGo, type Moment, untilHeld } from "./support/held-module.ts";
import { packAgent } from "./support/packages.ts";
import { Setting } from "./support/setting.ts";

const LONG_MS = 300_000;
const HALF_HOUR_US = 1_800_000_000;
const TIMER = "upkeep.timer";
const CHECK = "upkeep-check.service";
const fault = systemFault();
const describeSystem = fault === undefined || process.env.CI ? describe : describe.skip;

/** An update module that wants the device to be rebooted by the agent. */
const REBOOTS = `#!/bin/sh
case $1 in
NeedsArtifactReboot) echo Automatic ;;
SupportsRollback) echo Yes ;;
ArtifactCommit) touch /root/committed ;;
esac
`;

/** Runs once, long ago, and not again before tomorrow; without a pause, so that a test sees what is caught up. */
const DAILY = "[Timer]\nOnCalendar=\nOnCalendar=daily\nRandomizedDelaySec=0\n";

/** A time that is never now. */
const NEVER = "0 3 30 12 *";

/** The tests of one device run in this order. */
describeSystem(
  `checks by upkeep.timer under systemd${fault === undefined ? "" : ` (${fault})`}`,
  { timeout: LONG_MS },
  () => {
    const setting = new Setting();
    tabulateCases(() => setting.boots);
    let device: SystemDevice;
    let id: string;
    let releases = 0;

    beforeAll(async () => {
      await setting.start();
      device = await setting.boot();
      setting.install(device, packAgent(setting.folder, "1.0"));
      installHeldModule(device);
    }, LONG_MS);

    beforeEach(() => setting.configure(device));

    afterAll(() => setting.stop());

    /** The processes of the agent: of the daemon, of checks, of update modules. */
    const resident = () => device.run("pgrep --full --list-full '[/]usr/bin/upkeep|[m]odules/v3'").output.trim();
    const journal = () => device.journal(CHECK);
    const invocation = () => device.property("InvocationID", CHECK);
    const exitCode = () => device.property("ExecMainStatus", CHECK);
    const explain = () => `${journal()}\n${device.console()}`;

    async function untilOver(): Promise<void> {
      await until("the check is over", () => device.property("MainPID", CHECK) === "0" || undefined, { explain });
    }

    /** Runs a check to its end. @returns What it logged. */
    async function check(): Promise<string> {
      const before = journal().length;
      device.run(`systemctl start ${CHECK}`);
      await untilOver();
      device.output("journalctl --sync");
      return journal().slice(before);
    }

    async function deploy(type: string): Promise<string> {
      releases += 1;
      const file = { name: "file", content: Buffer.from(`release ${releases}`) };
      return await setting.deploy(type, `timed-${releases}`, file, id);
    }

    /** Deploys a release, and begins a check that waits in this call of its update module. */
    async function held(moment: Moment): Promise<string> {
      holdAt(device, moment);
      const deployment = await deploy(HELD);
      device.output(`systemctl start ${CHECK}`);
      await untilHeld(device);
      return deployment;
    }

    async function expectEnd(deployment: string, status: string): Promise<void> {
      const [result] = await setting.server.management.finished(deployment, explain);
      expect(result?.status, explain()).toBe(status);
    }

    const statusOf = async (deployment: string) =>
      (await setting.server.management.deviceDeployments(deployment))[0]?.status;

    it("is chosen in place of the daemon in an image that does not run; its first boot asks the server", async () => {
      device.output(`systemctl --root=/ disable upkeep && systemctl --root=/ enable ${TIMER}`);
      await device.reboot();
      expect(device.property("ActiveState")).toBe("inactive");
      expect(device.property("ActiveState", TIMER)).toBe("active");
      id = await setting.accept(device);
      await untilOver();
      expect(await check()).toContain("there is nothing to install");
      expect(exitCode()).toBe("0");
    });

    it("is chosen in place of a daemon that runs, which ends", async () => {
      device.output(`systemctl disable --now ${TIMER} ${CHECK} && systemctl enable --now upkeep`);
      await device.untilUnit("active");
      device.output(`systemctl disable --now upkeep && systemctl enable --now ${TIMER}`);
      expect(device.property("ActiveState")).toBe("inactive");
      expect(device.property("ActiveState", TIMER)).toBe("active");
      expect(device.output(`systemctl is-enabled ${CHECK}`)).toBe("enabled");
    });

    it("leaves nothing in memory", async () => {
      await check();
      expect(resident()).toBe("");
      expect(device.run(`systemctl is-failed ${CHECK}`).output.trim()).toBe("inactive");
      console.log();
    });

    it("spreads a fleet over the half hour: each device has a minute of its own, which it keeps", () => {
      expect(device.property("RandomizedDelayUSec", TIMER)).toBe("30min");
      expect(device.property("FixedRandomDelay", TIMER)).toBe("yes");
      const offset = (): number => {
        const [timer] = JSON.parse(device.output(`systemctl list-timers --output=json ${TIMER}`)) as { next: number }[];
        return (timer?.next ?? 0) % HALF_HOUR_US;
      };
      const first = offset();
      expect(first).not.toBe(0);
      device.output(`systemctl restart ${TIMER}`);
      expect(offset()).toBe(first);
      // Another device. systemd reads the id of its machine once.
      device.output(`echo ${"5e".repeat(16)} >/etc/machine-id; systemctl daemon-reexec; systemctl restart ${TIMER}`);
      expect(offset()).not.toBe(first);
    });

    it("catches up on a check that was due while the device was off", async () => {
      expect(device.property("Persistent", TIMER)).toBe("yes");
      const before = invocation();
      device.write(`/etc/systemd/system/${TIMER}.d/daily.conf`, DAILY);
      device.output(`systemctl daemon-reload; systemctl restart ${TIMER}`);
      expect(invocation()).toBe(before);
      device.output(`systemctl stop ${TIMER}; touch --date '2 days ago' /var/lib/systemd/timers/stamp-${TIMER}`);
      device.output(`systemctl start ${TIMER}`);
      await until("a check is started", () => invocation() !== before || undefined, { explain });
      await untilOver();
      device.output(`rm -r /etc/systemd/system/${TIMER}.d; systemctl daemon-reload`);
      // More starts than systemd allows within ten seconds.
      device.output(`systemctl reset-failed ${TIMER}; systemctl restart ${TIMER}`);
    });

    it("runs an update to its end over a reboot: the check at boot commits it, and nothing stays", async () => {
      device.write("/usr/share/mender/modules/v3/reboots", REBOOTS, 0o755);
      const { boots } = device;
      const deployment = await deploy("reboots");
      device.output(`systemctl start ${CHECK}`);
      await device.untilRebooted(boots);
      await expectEnd(deployment, "success");
      await untilOver();
      expect(exitCode()).toBe("0");
      expect(device.output("ls /root/committed; upkeep show-artifact")).toBe(`/root/committed\ntimed-${releases}`);
      expect(device.boots).toBe(boots + 1);
      expect(device.property("ActiveState")).toBe("inactive");
      expect(device.property("ActiveState", TIMER)).toBe("active");
      expect(resident()).toBe("");
    });

    it("has one check at a time", async () => {
      const deployment = await held("ArtifactInstall");
      const pid = device.property("MainPID", CHECK);
      device.output(`systemctl start ${CHECK}`);
      expect(device.property("MainPID", CHECK)).toBe(pid);
      const { code, output } = device.run("upkeep check");
      expect({ code, output }).toEqual({
        code: 1,
        output: expect.stringContaining(`upkeep check (process ${pid}) is at work`),
      });
      letGo(device);
      await expectEnd(deployment, "success");
      await untilOver();
    });

    it("goes on at the next check with an update that was stopped", async () => {
      const deployment = await held("Download");
      device.output(`systemctl stop ${CHECK}`);
      expect(resident()).toBe("");
      expect(device.property("Result", CHECK)).toBe("success");
      await check();
      await expectEnd(deployment, "success");
      expect(exitCode()).toBe("0");
    });

    it("is not ended by an upgrade of the package, which does not bring the daemon back", async () => {
      const deployment = await held("ArtifactInstall");
      const pid = device.property("MainPID", CHECK);
      device.copy(packAgent(setting.folder, "1.1"), "/root/newer.deb");
      device.output("dpkg --install /root/newer.deb");
      expect(device.property("MainPID", CHECK)).toBe(pid);
      letGo(device);
      await expectEnd(deployment, "success");
      await untilOver();
      expect(device.run("systemctl is-enabled upkeep").output.trim()).toBe("disabled");
      expect(device.property("ActiveState")).toBe("inactive");
      expect(device.property("ActiveState", TIMER)).toBe("active");
      await check();
      expect(exitCode()).toBe("0");
    });

    it("installs nothing outside of InstallWindow, and what waited inside of it", async () => {
      setting.configure(device, { InstallWindow: NEVER });
      const deployment = await deploy(HELD);
      expect(await check()).toContain("waits for the window");
      expect(exitCode()).toBe("0");
      expect(await statusOf(deployment)).toBe("pending");
      setting.configure(device, { InstallWindow: "* * * * *" });
      await check();
      await expectEnd(deployment, "success");
    });

    it("does not ask outside of UpdatePollSchedule", async () => {
      setting.configure(device, { UpdatePollSchedule: NEVER });
      const deployment = await deploy(HELD);
      expect(await check()).toContain("the next poll is due at");
      expect(exitCode()).toBe("0");
      // The server has not heard of the device, so it lists none.
      expect(await setting.server.management.deviceDeployments(deployment)).toEqual([]);
      setting.configure(device);
      await check();
      await expectEnd(deployment, "success");
    });

    it("says by the unit's result that an update failed", async () => {
      const file = { name: "fails.sh", content: Buffer.from("#!/bin/sh\nexit 7\n") };
      const deployment = await setting.deploy("script", "timed-failure", file, id);
      await check();
      await expectEnd(deployment, "failure");
      expect(exitCode()).toBe("3");
      expect(device.property("Result", CHECK)).toBe("success");
    });

    it("is refused beside the daemon, which stops the timer", async () => {
      device.output("systemctl start upkeep");
      expect(device.property("ActiveState", TIMER)).toBe("inactive");
      const pid = device.property("MainPID");
      expect(await check()).toContain(`upkeep daemon (process ${pid}) is at work`);
      expect([exitCode(), device.property("Result", CHECK)]).toEqual(["1", "exit-code"]);
      expect([device.property("MainPID"), device.property("ActiveState")]).toEqual([pid, "active"]);
      device.output(`systemctl start ${TIMER}`);
      await device.untilUnit("inactive");
      await check();
      expect(exitCode()).toBe("0");
    });

    it("keeps the daemon out until it is over", async () => {
      device.write("/run/systemd/system/upkeep.service.d/fast.conf", "[Service]\nRestartSec=1s\n");
      device.output("systemctl daemon-reload");
      const deployment = await held("ArtifactInstall");
      const pid = device.property("MainPID", CHECK);
      device.run("systemctl start upkeep");
      await device.untilJournal(new RegExp(`upkeep check \\(process ${pid}\\) is at work`));
      expect(device.property("MainPID", CHECK)).toBe(pid);
      letGo(device);
      await expectEnd(deployment, "success");
      await device.untilUnit("active");
      await device.untilJournal(/the daemon has started/);
    });

    it("is purged without a trace", () => {
      device.output(`systemctl disable --now upkeep; systemctl enable --now ${TIMER}; dpkg --purge upkeep`);
      expect(device.property("ActiveState", TIMER)).toBe("inactive");
      const where = "/etc /usr/bin /usr/lib/systemd /usr/share /var/lib -not -path '/var/lib/dpkg/*'";
      expect(device.output(`find ${where} -name '*upkeep*'`)).toBe("");
    });
  },
);
