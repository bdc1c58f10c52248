import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/waiting.ts";
import { itIsHardened } from "./cases/hardening.ts";
import { itSurvives } from "./cases/interruptions.ts";
import { itLogsToTheJournal } from "./cases/journal.ts";
import { systemFault } from "./support/base.ts";
import { tabulateCases } from "./support/case-table.ts";
import type { SystemDevice } from "./support/device.ts";
import { packAgent } from "./support/packages.ts";
import { Setting } from "./support/setting.ts";

const LONG_MS = 300_000;
const fault = systemFault();
const describeSystem = fault === undefined || process.env.CI ? describe : describe.skip;

/** The tests of one device run in this order. */
describeSystem(
  `the packaged agent under systemd${fault === undefined ? "" : ` (${fault})`}`,
  { timeout: LONG_MS },
  () => {
    const setting = new Setting();
    tabulateCases(() => setting.boots);
    let device: SystemDevice;
    let id: string;

    beforeAll(async () => {
      await setting.start();
      device = await setting.boot();
      setting.install(device, packAgent(setting.folder, "1.0"));
    }, LONG_MS);

    afterAll(() => setting.stop());

    it("is active before it is set up, waits quietly and says so", async () => {
      await device.untilUnit("active");
      await until("the status line says so", () => device.property("StatusText").includes("not set up") || undefined);
      const lines = device.journal();
      expect(lines).toContain("this device is not set up: it lacks the URL of its server and its device type");
      expect(lines).not.toMatch(/error|failed/i);
      expect(device.output("upkeep status")).toContain("waiting for 'upkeep setup'");
      expect(device.run("ls /var/lib/mender/*.pem").code).not.toBe(0);
      expect(device.run("upkeep bootstrap").output).toContain("the running daemon waits for 'upkeep setup'");
    });

    it("takes over what 'upkeep setup' writes without a restart", async () => {
      const before = device.property("MainPID");
      const { output } = device.run(
        `upkeep setup --device-type board --server-url ${setting.server.url} --update-poll 1`,
      );
      expect(output).toContain(`The running daemon (process ${before}) takes this over at its next rest.`);
      await device.untilJournal(/the daemon has started/);
      id = await setting.accept(device);
      expect(device.property("MainPID")).toBe(before);
      expect(device.property("NRestarts")).toBe("0");
    });

    it("is asked by 'upkeep bootstrap' beside the running daemon", () => {
      expect(device.output("upkeep bootstrap")).toContain("as the running daemon says");
    });

    it("reads its configuration again with 'systemctl reload', and keeps the one before if it is wrong", async () => {
      setting.configure(device, { UpdatePollIntervalSeconds: "often" });
      device.output("systemctl reload upkeep");
      await device.untilJournal(/was not taken over.*UpdatePollIntervalSeconds/);
      setting.configure(device, { DaemonLogLevel: "debug" });
      device.output("systemctl reload upkeep");
      await device.untilJournal(/there is nothing to install/);
      expect(device.property("NRestarts")).toBe("0");
    });

    it("notifies systemd, and its log lines have journal levels", () => {
      expect(device.property("Type")).toBe("notify");
      expect(device.property("StatusText")).not.toBe("");
      device.output("systemctl stop upkeep");
      device.output("mv /etc/mender/mender.conf /etc/mender/kept && echo '{' >/etc/mender/mender.conf");
      device.run("systemctl start upkeep");
      expect(device.output("journalctl --unit upkeep --priority err --output cat")).toContain("mender.conf");
      device.output("mv /etc/mender/kept /etc/mender/mender.conf && systemctl restart upkeep");
    });

    it("does not wait for the network at the boot, and mounts come before it", () => {
      expect(device.property("Wants")).not.toContain("network-online");
      expect(device.property("After")).not.toContain("network-online");
      expect(device.property("RequiresMountsFor")).toContain("/var/lib/mender");
    });

    it("comes back after its process was killed, and after a reboot, with its identity", async () => {
      const key = device.output("sha256sum /var/lib/mender/mender-agent.pem");
      const before = device.property("MainPID");
      device.output(
        `sed -i 's/RestartSec=30s/RestartSec=1s/' /usr/lib/systemd/system/upkeep.service; systemctl daemon-reload; kill -KILL ${before}`,
      );
      await until("another process runs", () => {
        const now = device.property("MainPID");
        return (now !== "0" && now !== before) || undefined;
      });
      await device.reboot();
      await device.untilUnit("active");
      expect(device.output("sha256sum /var/lib/mender/mender-agent.pem")).toBe(key);
      expect(await setting.server.management.devices()).toHaveLength(1);
      // From here on it restarts at once, also after an upgrade.
      device.write("/run/systemd/system/upkeep.service.d/fast.conf", "[Service]\nRestartSec=1s\n");
      device.output("systemctl daemon-reload");
    });

    it("is bitten by the watchdog when it hangs, and started again", async () => {
      const unit = "/etc/systemd/system/upkeep.service.d/watchdog.conf";
      device.write(unit, "[Service]\nWatchdogSec=4s\nTimeoutAbortSec=2s\nTimeoutStopSec=2s\n");
      device.output("systemctl daemon-reload; systemctl restart upkeep");
      await device.untilUnit("active");
      device.output(`kill -STOP ${device.property("MainPID")}`);
      await device.untilJournal(/Watchdog timeout/);
      device.output(`rm ${unit}; systemctl daemon-reload`);
      await until(
        "it runs again",
        () => (Number(device.property("NRestarts")) > 0 && device.property("ActiveState") === "active") || undefined,
      );
    });

    it("makes no key while the data partition is not mounted, and goes on when it is", async () => {
      device.output(
        "systemctl stop upkeep; mv /var/lib/mender /var/lib/mender.kept; mkdir -p /data; ln -s /data/mender /var/lib/mender",
      );
      device.output(
        "echo 'tmpfs /data tmpfs nofail,noauto,x-test 0 0' >/dev/null; echo 'tmpfs /data tmpfs defaults 0 0' >>/etc/fstab",
      );
      device.run("systemctl start upkeep");
      await device.untilJournal(
        /\/data, where the data directory \/var\/lib\/mender lies, is listed in \/etc\/fstab and not mounted/,
      );
      expect(device.output("ls -A /data")).toBe("");
      expect(device.run("upkeep bootstrap").output).toContain("not mounted");
      device.output("mount -t tmpfs tmpfs /data && cp -a /var/lib/mender.kept /data/mender");
      await until("it polls again", () => device.property("StatusText").includes("next poll") || undefined);
      expect(await setting.server.management.devices()).toHaveLength(1);
      device.output(
        "systemctl stop upkeep; umount /data; sed -i '/data/d' /etc/fstab; rm /var/lib/mender; mv /var/lib/mender.kept /var/lib/mender",
      );
      device.output("systemctl start upkeep");
    });

    it("makes the directory that a link of the data directory leads to", async () => {
      device.output(
        "systemctl stop upkeep; mv /var/lib/mender /var/lib/mender.kept; ln -s /srv/upkeep/data /var/lib/mender",
      );
      device.run("upkeep bootstrap");
      expect(device.output("stat --format=%a /srv/upkeep/data")).toBe("700");
      device.output(
        "rm -r /srv/upkeep /var/lib/mender; mv /var/lib/mender.kept /var/lib/mender; systemctl start upkeep",
      );
    });

    it("installs what the server offers", async () => {
      const file = { name: "hello.sh", content: new TextEncoder().encode("#!/bin/sh\necho hello >/root/installed\n") };
      const deployment = await setting.deploy("script", "hello-1", file, id);
      const [result] = await setting.server.management.finished(deployment, () => device.journal());
      expect(result?.status, device.journal()).toBe("success");
      expect(device.output("cat /root/installed")).toBe("hello");
    });

    const subject = () => ({ setting, device, id });
    itIsHardened(subject);
    itLogsToTheJournal(subject);

    // One way of each; `npm run test:systems` runs all of them at each moment.
    itSurvives("stop", "Download", subject);
    itSurvives("restart", "ArtifactInstall", subject);
    itSurvives("kill", "Cleanup", subject);
    itSurvives("upgrade", "ArtifactReboot", subject);
    itSurvives("purge", "ArtifactInstall", subject);

    it("is upgraded by dpkg in the middle of an installation without ending it", async () => {
      const slow =
        "#!/bin/sh\ntouch /root/began\nwhile [ ! -e /root/go ]; do sleep 0.1; done\necho done >/root/ended\n";
      const deployment = await setting.deploy(
        "script",
        "slow-1",
        { name: "slow.sh", content: new TextEncoder().encode(slow) },
        id,
      );
      await until("the installation has begun", () => device.run("[ -e /root/began ]").code === 0 || undefined, {
        explain: () => device.journal(),
      });
      const before = device.property("MainPID");
      device.copy(packAgent(setting.folder, "1.1"), "/root/newer.deb");
      device.output("dpkg --install /root/newer.deb");
      expect(device.property("MainPID")).toBe(before);
      device.output("touch /root/go");
      const [result] = await setting.server.management.finished(deployment, () => device.journal());
      expect(result?.status, device.journal()).toBe("success");
      expect(device.output("cat /root/ended")).toBe("done");
      await device.untilJournal(/another version of its program was installed/);
      await until("the new program runs", () => {
        const now = device.property("MainPID");
        return (now !== "0" && now !== before) || undefined;
      });
      expect(device.output("upkeep --version")).toBe("1.1");
    });

    it("is purged without a trace, also while it runs", () => {
      device.output("dpkg --purge upkeep");
      expect(device.run("systemctl is-active upkeep").output.trim()).not.toBe("active");
      expect(
        device.output(
          "find / -xdev -path /proc -prune -o -name '*upkeep*' -print | grep -v '^/root/\\|^/var/lib/dpkg\\|^/var/log\\|^/tmp' || true",
        ),
      ).toBe("");
    });
  },
);
