import type { ModuleManners } from "../file/index.ts";

/** Settings of the programs on a device. */
export interface ProgramSettings {
  /** Path of Node. */
  readonly interpreter: string;
  /** URL of the hub. */
  readonly hub: string;
  /** The file that the update module replaces. */
  readonly current: string;
}

/** Environment variable with the name of the program's device. */
export const DEVICE_VARIABLE = "UPKEEP_SCENARIO_DEVICE";

const COMMON = `
const DEVICE = process.env.${DEVICE_VARIABLE} ?? "";
const fs = require("node:fs");
const http = require("node:http");
const childProcess = require("node:child_process");
/** Calls the hub, which answers with the faults to simulate. */
const tell = (what, about) =>
  new Promise((resolve) => {
    const query = new URLSearchParams({ device: DEVICE, about });
    http
      .get(HUB + "/" + what + "?" + query, (answer) => {
        let text = "";
        answer.on("data", (chunk) => { text += chunk; }).on("end", () => resolve(JSON.parse(text)));
      })
      // The runner has ended.
      .on("error", () => process.exit(1));
  });
const forEver = () => new Promise(() => setInterval(() => undefined, 1 << 30));
const trouble = async (faults) => {
  if (faults.includes("floods")) {
    for (let line = 0; line < 20000; line++)
      fs.writeSync(line % 2 === 0 ? 2 : 1, "line " + line + " of noise\\n");
  }
  if (faults.includes("hangs")) await tell("hangs", "");
};
const replace = (path, bytes) => {
  const file = fs.openSync(path + ".new", "w");
  fs.writeSync(file, bytes);
  fs.fsyncSync(file);
  fs.closeSync(file);
  fs.renameSync(path + ".new", path);
};
const read = (path) => (fs.existsSync(path) ? fs.readFileSync(path) : undefined);
`;

const MODULE = `
const BACKUP = CURRENT + ".before";
const [call, tree] = process.argv.slice(2);
const staged = MANNERS.stores ? tree + "/files/payload" : tree + "/tmp/payload";
const rebootNow = async (fails) => {
  if (fails) return;
  childProcess.spawnSync("reboot", { stdio: "ignore" });
  await forEver();
};
const ANSWERS = {
  NeedsArtifactReboot: { no: "No", yes: "Yes", automatic: "Automatic" }[MANNERS.reboot],
  SupportsRollback: MANNERS.rollback ? "Yes" : "No",
  ProvidePayloadFileSizes: "No",
};
const ACTIONS = {
  Download: async (fails) => {
    if (MANNERS.stores || fails) return;
    const out = fs.openSync(staged, "w");
    for (;;) {
      const line = fs.readFileSync(tree + "/stream-next", "utf8");
      if (line === "") break;
      fs.writeSync(out, fs.readFileSync(tree + "/" + line.trim().split(" ")[0]));
    }
    fs.fsyncSync(out);
    fs.closeSync(out);
  },
  ArtifactInstall: async (fails) => {
    const payload = read(staged);
    const current = read(CURRENT);
    if (current !== undefined && !fs.existsSync(BACKUP)) replace(BACKUP, current);
    replace(CURRENT, fails ? payload.subarray(0, payload.length >> 1) : payload);
  },
  ArtifactRollback: async (fails) => {
    const backup = read(BACKUP);
    if (backup !== undefined && !fails) replace(CURRENT, backup);
  },
  ArtifactReboot: rebootNow,
  ArtifactRollbackReboot: rebootNow,
  Cleanup: async () => fs.rmSync(BACKUP, { force: true }),
};
(async () => {
  const faults = await tell("module", call);
  await trouble(faults);
  const fails = faults.includes("fails");
  if (ANSWERS[call] !== undefined) {
    fs.writeSync(1, ANSWERS[call] + "\\n");
    process.exit(fails ? 1 : 0);
  }
  await tell("midway", call);
  await ACTIONS[call]?.(fails);
  if (fails) fs.writeSync(2, call + " fails, as the scenario wants it\\n");
  process.exit(fails ? 1 : 0);
})();
`;

const SCRIPT = `
(async () => {
  const faults = await tell("script", require("node:path").basename(process.argv[1]));
  await trouble(faults);
  process.exit(faults.includes("retries") ? 21 : faults.includes("fails") ? 1 : CODE);
})();
`;

const REBOOT = `
tell("reboot", "").then(forEver);
`;

function program(settings: ProgramSettings, text: string, constants: Readonly<Record<string, unknown>> = {}): string {
  const all = { HUB: settings.hub, CURRENT: settings.current, ...constants };
  const lines = Object.entries(all).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
  return `#!${settings.interpreter}\n${lines.join("")}${COMMON}${text}`;
}

/** The update module of a device as an executable; it behaves as the simulated one. */
export function moduleText(settings: ProgramSettings, manners: ModuleManners): string {
  return program(settings, MODULE, { MANNERS: manners });
}

/** A state script that exits with this code, unless a fault strikes. */
export function scriptText(settings: Omit<ProgramSettings, "current">, code: number): string {
  return program({ ...settings, current: "" }, SCRIPT, { CODE: code });
}

/** The `reboot` program of a device: the runner kills all programs of the device and restarts the agent. */
export function rebootText(settings: ProgramSettings): string {
  return program(settings, REBOOT);
}
