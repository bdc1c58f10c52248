import {
  type Disk,
  type DiskNode,
  namedIn,
  parseEnvironment,
  readRootImage,
} from "../../mock-server/scenarios/simulation/index.ts";
import { BACKUP, CURRENT, SLOTS } from "./modules.ts";
import type { CampaignPath } from "./paths.ts";
import type { ServerModel } from "./server-model.ts";
import { DATASTORE, NEW, OLD } from "./world.ts";

function textOf(disk: Disk, path: string): string | undefined {
  const node = disk.find(path);
  return node?.kind === "file" || node?.kind === "device" ? new TextDecoder().decode(node.content.bytes) : undefined;
}

/** What the device runs, or will when it boots next: `old`, `new`, or a description of neither. */
function runningSoftware(path: CampaignPath, disk: Disk): string {
  if (path.module.kind === "slots") {
    const variables = parseEnvironment(textOf(disk, "/boot/env") ?? "");
    if (variables.get("upgrade_available") !== "0") return "neither: the upgrade is not decided";
    const device = disk.find(SLOTS[Number(variables.get("mender_boot_part"))] ?? "/");
    const image = device?.kind === "device" ? readRootImage(device.content.bytes) : undefined;
    return image === undefined ? "neither: the slot is not whole" : image.software;
  }
  const text = textOf(disk, CURRENT) ?? "nothing";
  if (text === OLD) return OLD;
  return text === `${NEW}\n`.repeat(text.length / 4) && text.length === 700 ? NEW : "neither: half of it";
}

/** True if nobody can say for certain what the device runs at the end of a failure on this path. */
function mayBeInconsistent({ module: { rollback, fails }, scripts, loops }: CampaignPath): boolean {
  const spoils = ["ArtifactRollback", "ArtifactFailure", "SupportsRollback", "NeedsArtifactReboot"];
  return (
    !rollback ||
    loops === true ||
    spoils.some((call) => fails.has(call)) ||
    Object.entries(scripts).some(([name, code]) => name.startsWith("ArtifactCommit_Leave") && code !== 0)
  );
}

/** What stays, work or no work: the store, the log, and the place of the work tree. */
const STAYS = /^(upkeep-store\.json|deployments\.\d{4}\.deployment-1\.log|modules)$/;

/** True if `node` is a file, or the work tree itself, or there is one below it. */
function hasFiles(node: DiskNode | undefined): boolean {
  if (node?.kind !== "directory") return node !== undefined;
  return [...namedIn(node.entries)].some(([name, below]) => name === "tree" || hasFiles(below));
}

function leftovers(path: CampaignPath, disk: Disk): string[] {
  const store = disk.find(DATASTORE);
  const names = store?.kind === "directory" ? [...namedIn(store.entries)].map(([name]) => name) : [];
  const left = names.filter((name) => !STAYS.test(name)).map((name) => `${DATASTORE}/${name}`);
  if (hasFiles(disk.find(`${DATASTORE}/modules`))) left.push("something of the work tree");
  // A module whose Cleanup fails, or is never called, leaves behind what it leaves behind.
  if (disk.find(BACKUP) !== undefined && !path.module.fails.has("Cleanup") && !path.loops) left.push(BACKUP);
  return left;
}

interface StoreText {
  readonly provides?: { readonly artifact_name?: string; readonly "rootfs-image.version"?: string };
  readonly update?: unknown;
}

function storeOn(disk: Disk): StoreText {
  return JSON.parse(textOf(disk, `${DATASTORE}/upkeep-store.json`) ?? "{}") as StoreText;
}

/** True if there is an update in the journal on this disk. */
export function updateIn(disk: Disk): boolean {
  return storeOn(disk).update !== null;
}

/** What must hold once the device has come to rest. */
export function violationsOf(path: CampaignPath, disk: Disk, server: ServerModel, diskFails = false): string[] {
  const violations: string[] = [];
  const { final } = server;
  if (final === undefined && !server.aborted) violations.push("the server never learned how it ended");
  if (final === "failure" && !server.aborted && server.logs === 0 && !diskFails)
    violations.push("the server never got the log");
  const store = storeOn(disk);
  if (store.update !== null) violations.push("the device polls while an update is in its journal");
  const software = path.empty ? store.provides?.artifact_name : runningSoftware(path, disk);
  const name = store.provides?.artifact_name;
  const inconsistent = name === `${NEW}_INCONSISTENT`;
  if (final === "success" && !server.aborted) {
    if (software !== NEW) violations.push(`success was reported, and the device runs ${software}`);
    if (name !== NEW || store.provides?.["rootfs-image.version"] !== NEW)
      violations.push(`success was reported, and the device provides ${JSON.stringify(store.provides)}`);
  } else if (!diskFails && !mayBeInconsistent(path)) {
    if (software !== OLD && !(server.aborted && final === "success" && software === NEW))
      violations.push(`${final ?? "aborted"} was reported, and the device runs ${software}`);
    if (name !== software) violations.push(`the device runs ${software} and provides ${name}`);
  } else if (name !== software && !inconsistent) {
    violations.push(`the device runs ${software} and provides ${name}`);
  }
  const left = leftovers(path, disk);
  if (left.length > 0 && !diskFails) violations.push(`left behind: ${left.join(", ")}`);
  return violations;
}
