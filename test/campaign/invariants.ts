import {
  type Disk,
  type DiskNode,
  namedIn,
  parseEnvironment,
  readRootImage,
} from "../../mock-server/scenarios/simulation/index.ts";
import { SLOTS } from "../../mock-server/scenarios/world/factory.ts";
import { BACKUP, CURRENT, EXTRA_NAME } from "./modules.ts";
import type { CampaignPath } from "./paths.ts";
import type { Person } from "./person.ts";
import type { ServerModel } from "./server-model.ts";
import { DATASTORE, fileContent, NEW, OLD, type Prepared, softwareOf } from "./world.ts";

function textOf(disk: Disk, path: string): string | undefined {
  const node = disk.find(path);
  return node?.kind === "file" || node?.kind === "device" ? new TextDecoder().decode(node.content.bytes) : undefined;
}

const NEITHER = "neither";

/** What the device runs, or will when it boots next; a text that begins with `neither` if that is nothing whole. */
function runningSoftware(path: CampaignPath, disk: Disk): string {
  if (path.module.kind === "files") {
    const text = textOf(disk, CURRENT) ?? "nothing";
    if (text === OLD) return OLD;
    const software = text.slice(0, Math.max(text.indexOf("\n"), 0));
    return text === fileContent(software) ? software : `${NEITHER}: half of it`;
  }
  const variables = parseEnvironment(textOf(disk, "/boot/env") ?? "");
  if (variables.get("upgrade_available") !== "0") return `${NEITHER}: the upgrade is not decided`;
  const device = disk.find(SLOTS[Number(variables.get("mender_boot_part"))] ?? "/");
  const image = device?.kind === "device" ? readRootImage(device.content.bytes) : undefined;
  return image === undefined ? `${NEITHER}: the slot is not whole` : image.software;
}

/** True if a failure on this path may leave the device in an inconsistent state. */
function mayBeInconsistent({ module: { rollback, fails }, scripts, loops }: CampaignPath): boolean {
  const spoils = ["ArtifactRollback", "ArtifactFailure", "SupportsRollback", "NeedsArtifactReboot"];
  return (
    !rollback ||
    loops === true ||
    spoils.some((call) => fails.has(call)) ||
    Object.entries(scripts).some(([name, code]) => name.startsWith("ArtifactCommit_Leave") && code !== 0)
  );
}

/** What stays, work or no work: the store with the room set aside for it, the log, and the place of the work tree. */
const STAYS = /^(upkeep-store\.json(\.spare)?|deployments\.\d{4}\.deployment-\d\.log|modules)$/;

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
  readonly update?: null | {
    readonly deployment?: string | null;
    readonly download?: { readonly path: string; readonly bytes: number };
  };
}

function storeOn(disk: Disk): StoreText {
  return JSON.parse(textOf(disk, `${DATASTORE}/upkeep-store.json`) ?? "{}") as StoreText;
}

/** True if there is an update in the journal on this disk. */
export function updateIn(disk: Disk): boolean {
  return storeOn(disk).update !== null;
}

/** Besides the header: pieces of it that double, and chunks of 2 KiB that are cut into. */
const IN_VAIN_BYTES_MAX = 3072;

/**
 * How many bytes of artifacts a device that boots now may fetch at most until it boots again, if the network does not
 * fail: what is written down as stored is not to be fetched once more. `undefined` if nothing is.
 */
export function bytesToFetchMax(prepared: Prepared, disk: Disk): number | undefined {
  const { path, artifacts, payloads } = prepared;
  if (path.adaptive) return adaptiveBytesMax(prepared);
  const kept = storeOn(disk).update?.download;
  const [artifact, payload] = [artifacts[0], payloads[0]];
  // What follows the first deployment is fetched in the same life, and another object has another header.
  if (kept === undefined || artifact === undefined || payload === undefined || path.second || path.replaced)
    return undefined;
  const headerBytes = Buffer.from(artifact).indexOf(payload.subarray(0, 100));
  const keptBytes = kept.bytes + (kept.path === `files/${EXTRA_NAME}` ? payload.length : 0);
  // What is damaged on its way is fetched once more, as it might have been what was kept that was.
  const again = path.corrupted ? artifact.length : 0;
  return artifact.length - keptBytes + headerBytes + again + IN_VAIN_BYTES_MAX;
}

/** Of the chunks, the share that a device may fetch in one boot: half are alike, and one that is cut through is neither. */
const MISSING_SHARE_MAX = 0.7;

/** A device whose power is cut must not fall back to the whole artifact: the slot that it runs from has half of it. */
function adaptiveBytesMax({ artifacts, adaptive, payloads }: Prepared): number {
  const [artifact, payload, files] = [artifacts[0], payloads[0], adaptive[0]];
  if (artifact === undefined || payload === undefined || files === undefined) throw new Error("there is no artifact");
  const otherBytes = artifact.length - payload.length;
  return Math.round(otherBytes + files.index.length + files.chunks.length * MISSING_SHARE_MAX);
}

/** What the device says of itself at the end, and what it is. */
interface Outcome {
  /** Runs now. */
  readonly software: string | undefined;
  /** Is provided. */
  readonly name: string | undefined;
  readonly version: string | undefined;
}

function outcomeOf(path: CampaignPath, disk: Disk, store: StoreText): Outcome {
  const name = store.provides?.artifact_name;
  const version = store.provides?.["rootfs-image.version"];
  return { software: path.empty ? name : runningSoftware(path, disk), name, version };
}

/** What is said to have happened in all: what is installed now (`undefined`: that is not certain), and what was said last. */
interface Said {
  readonly software: string | undefined;
  readonly last: string;
}

function saidByServer(path: CampaignPath, server: ServerModel): Said {
  let said: Said = { software: OLD, last: "nothing" };
  for (const [index, software] of softwareOf(path).entries()) {
    const { final, aborted } = server.deployment(index);
    // Of an aborted deployment the server does not take the final status any more: the device may have been through.
    if (aborted) said = { software: final === "success" ? undefined : said.software, last: `aborted, ${final}` };
    else if (final === "success") said = { software, last: final };
    else said = { ...said, last: final ?? "nothing" };
  }
  return said;
}

function saidToPerson({ told }: Person): Said {
  const software = told === "committed" ? NEW : told === "rolled-back" || told === "failed old" ? OLD : undefined;
  return { software, last: `to the person: ${told}` };
}

/** The report, what runs and what is provided must agree. */
function disagreements(path: CampaignPath, { software, last }: Said, outcome: Outcome, diskFails: boolean): string[] {
  const { software: runs, name, version } = outcome;
  const told = `${last} was reported, and the device runs ${runs} and provides ${name} ${version}`;
  const agrees = runs === name && name === version;
  if (last === "success" || last === "to the person: committed") return agrees && runs === software ? [] : [told];
  if (!diskFails && !mayBeInconsistent(path)) return agrees && (software ?? runs) === runs ? [] : [told];
  // The software is uncertain, and the device reports it as inconsistent.
  return name === runs || name?.endsWith("_INCONSISTENT") ? [] : [told];
}

/** What must hold once the device has come to rest. */
export function violationsOf(
  path: CampaignPath,
  disk: Disk,
  { server, person }: { readonly server: ServerModel; readonly person: Person },
  diskFails = false,
): string[] {
  const violations: string[] = [];
  for (const index of server.offered.keys()) {
    const { final, aborted, logs } = server.deployment(index);
    if (final === undefined && !aborted) violations.push("the server never learned how it ended");
    if (final === "failure" && !aborted && logs === 0 && !diskFails) violations.push("the server never got the log");
  }
  const store = storeOn(disk);
  if (store.update !== null) violations.push("the device polls while an update is in its journal");
  if (path.disk?.noexec && Object.keys(path.scripts).length > 0 && outcomeOf(path, disk, store).name === NEW)
    violations.push("an update was committed whose scripts could not run");
  const said = path.standalone === undefined ? saidByServer(path, server) : saidToPerson(person);
  violations.push(...disagreements(path, said, outcomeOf(path, disk, store), diskFails));
  const left = leftovers(path, disk);
  if (left.length > 0 && !diskFails) violations.push(`left behind: ${left.join(", ")}`);
  return violations;
}
