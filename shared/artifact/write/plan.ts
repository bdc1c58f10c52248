import { combinationsFault, dependsFault, PROVIDES_LIMITS, providesFault, textFault } from "../../protocol/index.ts";
import { printable } from "../../text/index.ts";
import { ArtifactError } from "../errors.ts";
import { metaDataText } from "../json.ts";
import { ARTIFACT_LIMITS } from "../limits.ts";
import { quoted } from "../names.ts";
import type { Compression, StateScript } from "../types.ts";

/** A file of a payload. It is read twice: for its checksum and for its content. */
export interface SourceFile {
  readonly name: string;
  readonly sizeBytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** What a device must provide: of a key with a list, one of the values. */
export type Depends = Readonly<Record<string, string | readonly string[]>>;

/** Fields of every kind of artifact. */
export interface CommonPlan {
  readonly artifactName: string;
  readonly artifactGroup?: string;
  readonly deviceTypes: readonly string[];
  readonly dependsArtifactNames?: readonly string[];
  readonly dependsArtifactGroups?: readonly string[];
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Depends;
  readonly clearsProvides?: readonly string[];
  readonly compression?: Compression;
}

/** Names of the payload's software in the device's provides. */
export interface SoftwarePlan {
  /** Replaces `rootfs-image`. */
  readonly softwareFilesystem?: string;
  /** Replaces the payload type; rootfs-image has no default. */
  readonly softwareName?: string;
  /** Replaces the artifact's name. */
  readonly softwareVersion?: string;
  /** Only `softwareVersion` is provided as a version, if it is given; no pattern of it is cleared. */
  readonly noDefaultSoftwareVersion?: boolean;
  /** Clears only `clearsProvides`. */
  readonly noDefaultClearsProvides?: boolean;
}

export interface ModuleImagePlan extends CommonPlan, SoftwarePlan {
  readonly kind: "module-image";
  /** The payload type: the name of the update module. */
  readonly type: string;
  readonly files: readonly SourceFile[];
  readonly scripts?: readonly StateScript[];
  /** JSON text of an object. */
  readonly metaDataJson?: string;
  readonly augment?: AugmentPlan;
}

/**
 * The part of an artifact that no signature covers, so that another party may make it anew. A device takes it if the
 * update module permits each field of it.
 */
export interface AugmentPlan {
  /** The payload type that replaces the artifact's. */
  readonly type: string;
  readonly files?: readonly SourceFile[];
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Depends;
  /** JSON text of an object. */
  readonly metaDataJson?: string;
}

export interface RootfsImagePlan extends CommonPlan, SoftwarePlan {
  readonly kind: "rootfs-image";
  readonly file: SourceFile;
  readonly scripts?: readonly StateScript[];
  /** Key of the image's checksum: the current one, the one of old clients, or none. */
  readonly checksumProvide?: "rootfs-image.checksum" | "rootfs_image_checksum" | "none";
}

export interface BootstrapPlan extends CommonPlan {
  readonly kind: "bootstrap";
}

export type ArtifactPlan = ModuleImagePlan | RootfsImagePlan | BootstrapPlan;

/** A plan with all defaults filled in. */
export interface ResolvedPlan extends CommonPlan {
  readonly type: string | null;
  readonly files: readonly SourceFile[];
  readonly scripts: readonly StateScript[];
  readonly provides: Readonly<Record<string, string>>;
  readonly depends: Depends;
  readonly clearsProvides: readonly string[];
  readonly compression: Compression;
  readonly metaDataJson?: string;
  readonly augment?: AugmentPlan;
  /** Key that provides the checksum of the only file. */
  readonly checksumKey?: string;
}

/** An invalid plan; `field` names the invalid field. */
export class PlanError extends Error {
  override readonly name = "PlanError";
  readonly field: string;

  constructor(field: string, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.field = field;
  }
}

const DEFAULT_FILESYSTEM = "rootfs-image";
const SCRIPT_NAME =
  /^Artifact(Install|Reboot|Rollback|RollbackReboot|Commit|Failure)_(Enter|Leave|Error)_\d\d([-_.]\S*)?$/;
const FILE_NAME = /^[A-Za-z0-9.,_-]+$/;
const PAYLOAD_TYPE = /^(?!\.{1,2}$)[^/]{1,255}$/;

/** The default provides and clears of a payload, the same as mender-artifact's. */
function software(
  plan: CommonPlan & SoftwarePlan,
  payloadName: string,
): { provides: [string, string][]; clears: string[] } {
  const filesystem = plan.softwareFilesystem || DEFAULT_FILESYSTEM;
  const withDefaults = plan.noDefaultSoftwareVersion !== true;
  const name = plan.softwareName || (withDefaults ? payloadName : "");
  const version = plan.softwareVersion || (withDefaults ? plan.artifactName : "");
  const key = name === "" ? filesystem : `${filesystem}.${name}`;
  // A new root file system also clears the group and the checksum key of old clients.
  const whole = key === DEFAULT_FILESYSTEM ? ["artifact_group", "rootfs_image_checksum"] : [];
  return {
    provides: version === "" ? [] : [[`${key}.version`, version]],
    clears: withDefaults && plan.noDefaultClearsProvides !== true ? [...whole, `${key}.*`] : [],
  };
}

/**
 * Fills in the defaults.
 * @throws PlanError naming the invalid field.
 */
export function resolvePlan(plan: ArtifactPlan): ResolvedPlan {
  checkCommon(plan);
  const resolved = withDefaults(plan);
  checkTexts(resolved);
  return resolved;
}

function withDefaults(plan: ArtifactPlan): ResolvedPlan {
  const common = { ...plan, compression: plan.compression ?? "gzip", depends: plan.depends ?? {} };
  if (plan.kind === "bootstrap") {
    return {
      ...common,
      type: null,
      files: [],
      scripts: [],
      provides: plan.provides ?? {},
      clearsProvides: plan.clearsProvides ?? [],
    };
  }
  const isRootfs = plan.kind === "rootfs-image";
  const { provides, clears } = software(plan, isRootfs ? "" : plan.type);
  const files = isRootfs ? [plan.file] : plan.files;
  const scripts = plan.scripts ?? [];
  checkFiles([...files, ...(augmentOf(plan)?.files ?? [])]);
  checkScripts(scripts);
  const resolved = {
    ...common,
    files,
    scripts,
    provides: { ...Object.fromEntries(provides), ...plan.provides },
    clearsProvides: [...(plan.clearsProvides ?? []), ...clears],
  };
  if (isRootfs) {
    const checksumKey = plan.checksumProvide ?? "rootfs-image.checksum";
    return { ...resolved, type: "rootfs-image", ...(checksumKey === "none" ? {} : { checksumKey }) };
  }
  checkType("type", plan.type);
  checkMetaData("metaDataJson", plan.metaDataJson);
  if (plan.augment !== undefined) checkAugment(plan.augment);
  return { ...resolved, type: plan.type };
}

function augmentOf(plan: ArtifactPlan): AugmentPlan | undefined {
  return plan.kind === "module-image" ? plan.augment : undefined;
}

function checkType(field: string, type: string): void {
  if (PAYLOAD_TYPE.test(type) && textFault(type) === undefined) return;
  throw new PlanError(field, `the payload type ${quoted(type)} is no name of an update module`);
}

function checkAugment({ type, provides = {}, depends = {}, metaDataJson }: AugmentPlan): void {
  checkType("augment.type", type);
  checkMetaData("augment.metaDataJson", metaDataJson);
  for (const [field, map] of [["augment.provides", provides] as const, ["augment.depends", depends] as const]) {
    if (Object.keys(map).includes("")) throw new PlanError(field, `${field}: a key is empty`);
  }
  refuse("augment.provides", providesFault(provides));
  refuse("augment.depends", dependsFault(depends));
}

/** @throws PlanError if there is a fault. */
function refuse(field: string, fault: string | undefined): void {
  if (fault !== undefined) throw new PlanError(field, `${field}: ${fault}`);
}

/** @throws PlanError if the texts do not fit a device's poll, or a reader would refuse them. */
function checkTexts(plan: ResolvedPlan): void {
  const { artifactName, artifactGroup, deviceTypes, dependsArtifactNames = [], dependsArtifactGroups = [] } = plan;
  refuse("artifactName", textFault(artifactName));
  refuse("artifactGroup", textFault(artifactGroup ?? ""));
  for (const field of ["deviceTypes", "dependsArtifactNames", "dependsArtifactGroups", "clearsProvides"] as const) {
    for (const value of plan[field] ?? []) refuse(field, textFault(value));
  }
  const { deviceTypesMax, clearsMax } = PROVIDES_LIMITS;
  if (deviceTypes.length > deviceTypesMax) {
    refuse("deviceTypes", `there must be at most ${deviceTypesMax}, not ${deviceTypes.length}`);
  }
  if (plan.clearsProvides.length > clearsMax) {
    refuse("clearsProvides", `there must be at most ${clearsMax}, not ${plan.clearsProvides.length}`);
  }
  const own = { artifact_name: artifactName, ...(artifactGroup ? { artifact_group: artifactGroup } : {}) };
  const measured = plan.checksumKey === undefined ? {} : { [plan.checksumKey]: "0".repeat(64) };
  refuse("provides", providesFault({ ...own, ...plan.provides, ...measured }));
  refuse("depends", dependsFault(plan.depends));
  const lists = {
    ...(dependsArtifactNames.length === 0 ? {} : { artifact_name: dependsArtifactNames }),
    ...(dependsArtifactGroups.length === 0 ? {} : { artifact_group: dependsArtifactGroups }),
  };
  refuse("depends", combinationsFault({ ...lists, ...plan.depends, device_type: deviceTypes }));
}

function checkCommon(plan: ArtifactPlan): void {
  if (plan.artifactName === "") throw new PlanError("artifactName", "the artifact needs a name");
  if (plan.deviceTypes.length === 0) throw new PlanError("deviceTypes", "at least one device type is needed");
  const lists = ["deviceTypes", "dependsArtifactNames", "dependsArtifactGroups", "clearsProvides"] as const;
  for (const field of lists) {
    if (plan[field]?.includes("")) throw new PlanError(field, `${field}: an entry is empty`);
  }
  for (const field of ["provides", "depends"] as const) {
    if (Object.keys(plan[field] ?? {}).includes("")) throw new PlanError(field, `${field}: a key is empty`);
  }
}

function checkFiles(files: readonly SourceFile[]): void {
  const names = new Set<string>();
  for (const { name } of files) {
    if (!FILE_NAME.test(name) || name === "." || name === ".." || name.length > ARTIFACT_LIMITS.fileNameBytesMax) {
      throw new PlanError("files", `the file name ${quoted(name)} may have letters, digits and ".,_-" only`);
    }
    if (names.has(name)) throw new PlanError("files", `there are two files of the name ${quoted(name)}`);
    names.add(name);
  }
}

function checkScripts(scripts: readonly StateScript[]): void {
  const names = new Set<string>();
  for (const { name } of scripts) {
    if (!SCRIPT_NAME.test(name) || name.includes("/")) {
      const example = "ArtifactInstall_Enter_10_stop-app";
      throw new PlanError("scripts", `${quoted(name)} is no name of an artifact's state script, such as ${example}`);
    }
    if (Buffer.byteLength(name) > ARTIFACT_LIMITS.fileNameBytesMax) {
      throw new PlanError("scripts", `the state script's name ${quoted(name)} is longer than 255 bytes`);
    }
    if (names.has(name)) throw new PlanError("scripts", `there are two state scripts of the name ${quoted(name)}`);
    names.add(name);
  }
}

function checkMetaData(field: string, json: string | undefined): void {
  if (json === undefined) return;
  try {
    metaDataText(new TextEncoder().encode(json), "meta-data");
  } catch (cause) {
    if (!(cause instanceof ArtifactError)) throw cause;
    throw new PlanError(field, cause.message, { cause });
  }
}
