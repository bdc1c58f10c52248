import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseScenario } from "../../mock-server/scenarios/file/index.ts";
import { faultsChapter } from "./faults.ts";
import { languageChapter } from "./language.ts";

export const SCENARIOS = join(import.meta.dirname, "../scenarios");

/** What stands at the head of a chapter, by the name of its folder; one that is not here has a title only. */
const HEADS: Readonly<Record<string, string>> = {
  "": "The simplest of each kind, to begin with.",
  "01-network": "What happens to a device whose way to the server is bad, broken, or leads to another server.",
  "02-server-answers": "What a server, or a proxy before it, may answer, and what becomes of the device then.",
  "03-downloads": "From the first byte of an artifact to the last one, over days if need be.",
  "04-artifacts": "What may be wrong with an artifact, or be right and no use.",
  "05-power": "The power goes, or the program is ended, at every point of an update.",
  "06-update-modules": "What update modules do, and fail to do.",
  "07-state-scripts": "The points of an update at which the machine's own scripts have a say.",
  "08-boot": "What does, or does not, come up after a reboot.",
  "09-disk": "Disks that are full, worn out, or lie.",
  "10-time": "Clocks, windows and schedules.",
  "11-patience": "Long times in which little happens, and short ones in which everything does.",
  "12-on-the-desk":
    "For a real device, or the real mender-client, that is attached: what can be done to it from the server alone.",
  "13-rollouts": "Who gets what when: groups, phases, thresholds, and what people do in the middle of it.",
  "14-incidents":
    "What has happened to fleets in public, as scenarios: the kind of trouble, and what becomes of it here.",
  "15-language": "What a scenario can say: a small example of each construct of the language.",
  "16-adaptive-downloads":
    "What happens where the server offers adaptive downloads, and the device has most of the artifact already.",
};

function titleOf(folder: string): string {
  if (folder === "") return "First examples";
  const words = folder.replace(/^\d+-/, "").replaceAll("-", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

/** Folders of scenarios in the order of their names; `""` are those in no folder. */
function chapters(): string[] {
  const entries = readdirSync(SCENARIOS, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return ["", ...folders.sort()].filter((folder) => scenariosOf(folder).length > 0);
}

function scenariosOf(folder: string): string[] {
  return readdirSync(join(SCENARIOS, folder))
    .filter((name) => name.endsWith(".yaml"))
    .sort();
}

/** Paths of all scenarios, relative to {@link SCENARIOS}. */
export function scenarioPaths(): string[] {
  return chapters().flatMap((folder) =>
    scenariosOf(folder).map((name) => (folder === "" ? name : `${folder}/${name}`)),
  );
}

function line(path: string): string {
  const { scenario, why } = parseScenario(readFileSync(join(SCENARIOS, path), "utf8"), path);
  return `- [${scenario}](${path}): ${why}`;
}

/** The handbook: every scenario with the sentence that says why it matters, by chapters; then the language and the faults. */
export function handbookText(): string {
  const head = [
    "# What happens to devices in the field",
    "",
    "<!-- Written by npm run docs from the scenarios themselves. -->",
    "",
    "Each file tells one thing that happens to devices, and what has to come of it. All of them are run by",
    "`upkeep-server scenario run test/scenarios`, in virtual time; one alone by its name:",
    "`upkeep-server scenario run test/scenarios/05-power/power-cut-while-installing.yaml --timeline`.",
  ];
  const parts = chapters().map((folder) => {
    const paths = scenariosOf(folder).map((name) => (folder === "" ? name : `${folder}/${name}`));
    const sentence = HEADS[folder];
    return [`## ${titleOf(folder)}`, ...(sentence === undefined ? [] : ["", sentence]), "", ...paths.map(line)].join(
      "\n",
    );
  });
  return `${[head.join("\n"), ...parts, languageChapter(), faultsChapter()].join("\n\n")}\n`;
}
