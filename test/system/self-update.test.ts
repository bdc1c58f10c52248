import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemFault } from "./support/base.ts";
import { tabulateCases } from "./support/case-table.ts";
import type { SystemDevice } from "./support/device.ts";
import { packAgent, withProgram } from "./support/packages.ts";
import { Setting } from "./support/setting.ts";

const LONG_MS = 400_000;
const fault = systemFault();
const describeSystem = fault === undefined || process.env.CI ? describe : describe.skip;

describeSystem(
  `the agent's own package as a deployment${fault === undefined ? "" : ` (${fault})`}`,
  { timeout: LONG_MS },
  () => {
    const setting = new Setting();
    tabulateCases(() => setting.boots);
    let device: SystemDevice;
    let id: string;
    let second: string;

    beforeAll(async () => {
      await setting.start();
      device = await setting.boot();
      setting.install(device, packAgent(setting.folder, "1.0"));
      second = packAgent(setting.folder, "1.1");
      // A device that restarts a failed agent at once: the test need not wait.
      device.write("/etc/systemd/system/upkeep.service.d/fast.conf", "[Service]\nRestartSec=1s\n");
      device.output("systemctl daemon-reload");
      setting.configure(device);
      device.output("systemctl restart upkeep");
      id = await setting.accept(device);
    }, LONG_MS);

    afterAll(() => setting.stop());

    /** Deploys a package. @returns How it ended, and the log that the server got. */
    async function deployed(archive: string, name: string): Promise<{ status: string | undefined; log: string }> {
      const { management } = setting.server;
      const explain = () => `${device.journal()}\n${device.journal("upkeep-trial")}\n${device.console()}`;
      const file = { name: basename(archive), content: readFileSync(archive) };
      const deployment = await setting.deploy("deb", name, file, id);
      const [result] = await management.finished(deployment, explain, 200_000);
      const log = result?.status === "failure" ? await management.log(deployment, id, explain) : "";
      return { status: result?.status, log };
    }

    const nothingIsLeft = () =>
      device.output("ls /var/lib/upkeep/trial /etc/systemd/system/upkeep-trial.service 2>&1 || true");
    const installed = () => device.output("dpkg-query --show upkeep").split("\t")[1];

    it("goes back by itself from a program that ends at once; the server has the log, and the next update works", async () => {
      const broken = withProgram(
        second,
        join(setting.folder, "broken.deb"),
        "#!/bin/sh\necho this program is broken >&2\nexit 1\n",
      );
      const { status, log } = await deployed(broken, "agent-broken");
      expect(status).toBe("failure");
      expect(log).toContain("so the previous package was installed again");
      expect(log).toContain("this program is broken");
      expect(installed()).toBe("1.0");
      expect(device.output("upkeep --version")).toBe("1.0");
      expect(device.output("upkeep show-artifact")).toBe("unknown");
      expect(nothingIsLeft()).not.toContain("previous.deb");
    });

    it("goes back from a program that runs and cannot log in", async () => {
      device.output("cp /usr/bin/upkeep /root/program");
      const deaf = withProgram(second, join(setting.folder, "deaf.deb"), DEAF);
      setting.configure(device, { CommitTimeoutSeconds: 3 });
      device.output("systemctl reload upkeep");
      const { status, log } = await deployed(deaf, "agent-deaf");
      expect(status).toBe("failure");
      expect(log).toContain("could not be reached for 3 s with the new software");
      expect(installed()).toBe("1.0");
      expect(nothingIsLeft()).not.toContain("previous.deb");
    });

    it("ends in success with a good one, which says its version", async () => {
      expect(await deployed(second, "agent-1.1")).toEqual({ status: "success", log: "" });
      expect(installed()).toBe("1.1");
      expect(device.output("upkeep --version")).toBe("1.1");
      expect(device.output("upkeep show-artifact")).toBe("agent-1.1");
      expect(nothingIsLeft()).not.toContain("previous.deb");
      expect(await setting.server.management.devices()).toHaveLength(1);
    });
  },
);

/** Runs the program of the package before with a configuration that leads nowhere, for the daemon only. */
const DEAF = `#!/bin/sh
case "$*" in
  daemon)
    sed 's,http://127.0.0.1:[0-9]*,http://127.0.0.1:9,' /etc/mender/mender.conf >/run/deaf.conf
    exec /root/program --config /run/deaf.conf daemon ;;
esac
exec /root/program "$@"
`;
