import { given } from "@upkeep/shared/given";
import type { Argv } from "yargs";
import { ExtImage } from "./ext-image.ts";
import { smallFile, stateScripts } from "./files.ts";
import { addFlags, type CompressionFlag, JSON_FLAG, one, several } from "./flags.ts";
import { SIGNING_FLAGS, signingKeyOf } from "./keys.ts";
import { type Contents, changing, copyContent, type Unpacked } from "./repacking.ts";
import { ArtifactCommandError, type ArtifactContext, run } from "./run.ts";
import { tellWritten } from "./standard-output.ts";
import { pairs } from "./write.ts";

/** Files of a Mender client in a root file system. */
const IN_IMAGE = {
  directory: "/etc/mender",
  artifactInfo: "/etc/mender/artifact_info",
  configuration: "/etc/mender/mender.conf",
  serverCertificate: "/etc/mender/server.crt",
  verificationKey: "/etc/mender/artifact-verify-key.pem",
} as const;

export const TMP_FLAG = { tmp: { ...one, describe: "Directory for temporary files" } } as const;

const FLAGS = {
  "artifact-name": { ...one, alias: ["n", "name"], describe: "Another name of the artifact, also in the image" },
  "artifact-name-depends": { ...several, alias: "N", describe: "Artifacts of which one must be installed; repeatable" },
  "depends-groups": { ...several, alias: "G", describe: "Groups that the device must be in one of; repeatable" },
  "provides-group": { ...one, alias: "g", describe: "Group that the artifact puts the device in" },
  provides: { ...several, alias: "p", describe: "KEY:VALUE instead of all that it provides; repeatable" },
  depends: { ...several, alias: "d", describe: "KEY:VALUE instead of all that it depends on; repeatable" },
  "meta-data": { ...one, alias: "m", describe: "File with another JSON object for the update module" },
  "clears-provides": { ...several, describe: "One more pattern of provides that it clears; repeatable" },
  "delete-clears-provides": { ...several, describe: "Pattern that it no longer clears; repeatable" },
  script: { ...several, alias: "s", describe: "One more state script, or a directory of them; repeatable" },
  "server-uri": { ...one, alias: "u", describe: "ServerURL in the mender.conf of the image" },
  "tenant-token": { ...one, alias: "t", describe: "TenantToken in the mender.conf of the image" },
  "server-cert": { ...one, alias: "c", describe: "Certificate that becomes server.crt in the image" },
  "verification-key": { ...one, alias: "v", describe: "Public key that becomes artifact-verify-key.pem in the image" },
  ...SIGNING_FLAGS,
  ...TMP_FLAG,
  ...JSON_FLAG,
} as const;

interface ModifyFlags {
  readonly artifactName: string | undefined;
  readonly artifactNameDepends: readonly string[] | undefined;
  readonly dependsGroups: readonly string[] | undefined;
  readonly providesGroup: string | undefined;
  readonly provides: readonly string[] | undefined;
  readonly depends: readonly string[] | undefined;
  readonly metaData: string | undefined;
  readonly clearsProvides: readonly string[] | undefined;
  readonly deleteClearsProvides: readonly string[] | undefined;
  readonly script: readonly string[] | undefined;
  readonly serverUri: string | undefined;
  readonly tenantToken: string | undefined;
  readonly serverCert: string | undefined;
  readonly verificationKey: string | undefined;
}

/** What the flags change of an artifact's header. */
async function changedContents(
  context: ArtifactContext,
  flags: ModifyFlags,
  contents: Contents,
): Promise<Partial<Contents>> {
  const { provides, depends, metaData, clearsProvides, deleteClearsProvides = [], script } = flags;
  const cleared = [...contents.clearsProvides, ...(clearsProvides ?? [])];
  return given({
    artifactName: flags.artifactName,
    artifactGroup: flags.providesGroup,
    dependsArtifactNames: flags.artifactNameDepends,
    dependsArtifactGroups: flags.dependsGroups,
    provides: provides && pairs("provides", provides),
    depends: depends && pairs("depends", depends),
    metaDataJson: metaData === undefined ? undefined : await smallFile(context, metaData),
    clearsProvides: cleared.filter((pattern) => !deleteClearsProvides.includes(pattern)),
    scripts: script && [...contents.scripts, ...(await stateScripts(context, script))],
  });
}

/** The flags that only an artifact can follow. */
const OF_ARTIFACTS = [
  "artifactNameDepends",
  "dependsGroups",
  "providesGroup",
  "provides",
  "depends",
  "metaData",
  "clearsProvides",
  "deleteClearsProvides",
  "script",
] as const satisfies readonly (keyof ModifyFlags)[];

const dashed = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

async function modify(context: ArtifactContext, flags: ModifyFlags, unpacked: Unpacked): Promise<void> {
  const { contents } = unpacked;
  if (contents !== undefined) Object.assign(contents, await changedContents(context, flags, contents));
  else {
    const needless = OF_ARTIFACTS.find((name) => flags[name] !== undefined);
    if (needless !== undefined) {
      throw new ArtifactCommandError("usage", `--${dashed(needless)} changes an artifact; this is an image by itself`);
    }
  }
  await modifyImage(context, flags, unpacked);
}

async function modifyImage(
  context: ArtifactContext,
  flags: ModifyFlags,
  { imagePath, scratch, contents }: Unpacked,
): Promise<void> {
  const { artifactName, serverUri, tenantToken, serverCert, verificationKey } = flags;
  const settings = given({ ServerURL: serverUri, TenantToken: tenantToken });
  const files = Object.entries(
    given({ [IN_IMAGE.serverCertificate]: serverCert, [IN_IMAGE.verificationKey]: verificationKey }),
  );
  if (imagePath === undefined) {
    if (Object.keys(settings).length > 0 || files.length > 0) throw noImage();
    return;
  }
  const image = new ExtImage(context, imagePath, scratch);
  const put = async (text: string, path: string): Promise<void> => {
    const file = `${scratch}/text`;
    await copyContent(context, bytesOf(text), file);
    await image.write(file, path);
  };
  if (artifactName !== undefined) {
    if ((await image.status(IN_IMAGE.directory)) !== undefined) {
      await put(`artifact_name=${artifactName}\n`, IN_IMAGE.artifactInfo);
    } else if (contents === undefined) {
      throw new ArtifactCommandError("ENOENT", `--artifact-name: the image has no ${IN_IMAGE.directory}`);
    }
  }
  if (Object.keys(settings).length > 0) {
    const file = `${scratch}/configuration`;
    await image.read(IN_IMAGE.configuration, file);
    await put(withSettings(await smallFile(context, file), settings), IN_IMAGE.configuration);
  }
  for (const [path, source] of files) await image.write(await checked(context, source), path);
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** A file of the host that must be there. */
async function checked(context: ArtifactContext, path: string): Promise<string> {
  await smallFile(context, path);
  return path;
}

/** The text of a mender.conf with other settings. */
function withSettings(text: string, settings: Readonly<Record<string, string>>): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ArtifactCommandError("usage", `${IN_IMAGE.configuration} of the image is not JSON`, undefined, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ArtifactCommandError("usage", `${IN_IMAGE.configuration} of the image is no JSON object`);
  }
  return `${JSON.stringify({ ...value, ...settings }, null, 2)}\n`;
}

/** The error for a payload that is no image of a file system that can be changed. */
export function noImage(): ArtifactCommandError {
  return new ArtifactCommandError(
    "image",
    "the payload is no image of ext2, ext3 or ext4; other file systems, and disk images with partitions, cannot be changed",
  );
}

export function addModifyCommand<T extends CompressionFlag>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv.command(
    "modify <path>",
    "Change an artifact, and the image in it (ext2, ext3, ext4)",
    (builder) =>
      addFlags(builder.positional("path", { type: "string", demandOption: true, describe: "The artifact" }), FLAGS),
    (flags) =>
      run(context, flags.json, async () => {
        const { path, compression, tmp: temporary } = flags;
        const signingKey = await signingKeyOf(context, flags);
        const options = given({ signingKey, compression, temporary });
        const facts = await changing(context, path, options, (unpacked) => modify(context, flags, unpacked));
        const what = facts.name === undefined ? "modified" : `${facts.name}, modified`;
        tellWritten(
          context,
          flags.json,
          { path, ...facts },
          `${what}, ${facts.size} bytes${facts.signed ? ", signed" : ""}`,
        );
      }),
  );
}
