import { afterAll, beforeAll, describe } from "vitest";
import { ALL_INTERRUPTIONS, itSurvives, type Subject } from "../system/cases/interruptions.ts";
import { tabulateCases } from "../system/support/case-table.ts";
import { packAgent } from "../system/support/packages.ts";
import { Setting } from "../system/support/setting.ts";
import { systemsFault } from "./support/asked.ts";

const LONG_MS = 300_000;
const fault = systemsFault({
  debootstrap: "debootstrap",
  "systemd-nspawn": "systemd-container",
  unshare: "util-linux",
});
const describeSystem = fault === undefined ? describe : describe.skip;

/** What test/system does of each kind once, at each moment of an update. */
describeSystem(`the packaged agent is interrupted (${fault ?? "Debian 13"})`, { timeout: LONG_MS }, () => {
  const setting = new Setting();
  tabulateCases(() => setting.boots);
  let subject: Subject;

  beforeAll(async () => {
    await setting.start();
    const device = await setting.boot();
    setting.install(device, packAgent(setting.folder, "1.0"));
    device.write("/etc/systemd/system/upkeep.service.d/fast.conf", "[Service]\nRestartSec=1s\n");
    device.output("systemctl daemon-reload");
    setting.configure(device);
    device.output("systemctl restart upkeep");
    subject = { setting, device, id: await setting.accept(device) };
  }, LONG_MS);

  afterAll(() => setting.stop());

  for (const [interruption, moment] of ALL_INTERRUPTIONS) itSurvives(interruption, moment, () => subject);
});
