import { basename } from "node:path";
import { given } from "@upkeep/shared/given";
import type { Argv } from "yargs";
import { absolutePath } from "../../system/environment.ts";
import { ExtImage } from "./ext-image.ts";
import { sourceFile, writeOutput } from "./files.ts";
import { addFlags, yes } from "./flags.ts";
import { SIGNING_FLAGS, type SigningFlags, signingKeyOf } from "./keys.ts";
import { noImage, TMP_FLAG } from "./modify.ts";
import { changing, copyContent, copyFile, type Unpacked, withUnpacked } from "./repacking.ts";
import { ArtifactCommandError, type ArtifactContext, run } from "./run.ts";

/** A file in the image that an artifact brings: `release.mender:/etc/hostname`. */
interface Place {
  readonly artifact: string;
  /** Absolute, without a slash at its end. */
  readonly path: string;
  /** A slash stands at its end. */
  readonly isDirectory: boolean;
}

interface ChangeFlags extends SigningFlags {
  readonly tmp: string | undefined;
}

const CHANGE_FLAGS = { ...SIGNING_FLAGS, ...TMP_FLAG } as const;

function placeIn(text: string): Place | undefined {
  const [, artifact, path] = /^(.+?):(\/.*)$/.exec(text) ?? [];
  if (artifact === undefined || path === undefined) return undefined;
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new ArtifactCommandError("usage", `${text}: the path in the image must have no ".."`);
  }
  return { artifact, path: `/${parts.join("/")}`, isDirectory: path.endsWith("/") };
}

function requirePlace(text: string): Place {
  const place = placeIn(text);
  if (place !== undefined) return place;
  const message = `"${text}" names no file in an artifact; it must be ARTIFACT:/PATH, such as release.mender:/etc/hostname`;
  throw new ArtifactCommandError("usage", message);
}

function imageOf(context: ArtifactContext, { imagePath, scratch }: Unpacked): ExtImage {
  if (imagePath === undefined) throw noImage();
  return new ExtImage(context, imagePath, scratch);
}

/** Uses a file of an image, copied out of it. */
function withFileOf(
  context: ArtifactContext,
  { artifact, path }: Place,
  temporary: string | undefined,
  use: (file: string, mode: number) => Promise<void>,
): Promise<void> {
  return withUnpacked(context, artifact, temporary, async (unpacked) => {
    const file = `${unpacked.scratch}/file`;
    const { mode } = await imageOf(context, unpacked).read(path, file);
    await use(file, mode);
  });
}

async function change(
  context: ArtifactContext,
  { artifact }: Place,
  flags: ChangeFlags,
  action: (image: ExtImage, scratch: string) => Promise<void>,
): Promise<void> {
  const signingKey = await signingKeyOf(context, flags);
  const options = given({ signingKey, temporary: flags.tmp });
  await changing(context, artifact, options, (unpacked) => action(imageOf(context, unpacked), unpacked.scratch));
}

async function copyOut(context: ArtifactContext, from: Place, to: string, flags: ChangeFlags): Promise<void> {
  const { files } = context.system;
  const isDirectory = (await files.status(absolutePath(to)))?.kind === "directory";
  const target = isDirectory ? `${to}/${basename(from.path)}` : to;
  await withFileOf(context, from, flags.tmp, async (file, mode) => {
    const { read } = await sourceFile(context, file);
    await writeOutput(context, target, async (sink) => {
      for await (const chunk of read()) await sink.write(chunk);
    });
    await files.setPermissions(absolutePath(target), mode & 0o777);
  });
}

/** @param mode Permission bits in the image; those of the file if not given. */
async function copyIn(
  context: ArtifactContext,
  from: string,
  to: Place,
  flags: ChangeFlags,
  mode?: number,
): Promise<void> {
  // yargs makes an empty text of a positional "-".
  const fromInput = from === "-" || from === "";
  const status = fromInput ? undefined : await context.system.files.status(absolutePath(from));
  if (!fromInput) await sourceFile(context, from);
  const path = to.isDirectory ? `${to.path === "/" ? "" : to.path}/${basename(from)}` : to.path;
  await change(context, to, flags, async (image, scratch) => {
    const file = `${scratch}/new-file`;
    if (fromInput) await copyContent(context, context.input(), file);
    else await copyFile(context, from, file);
    await image.write(file, path, mode ?? status?.mode);
  });
}

async function copy(context: ArtifactContext, from: string, to: string, flags: ChangeFlags): Promise<void> {
  const [source, target] = [placeIn(from), placeIn(to)];
  if (source !== undefined && target === undefined) await copyOut(context, source, to, flags);
  else if (source === undefined && target !== undefined) await copyIn(context, from, target, flags);
  else {
    const message = "one of the two must be ARTIFACT:/PATH, such as release.mender:/etc/hostname, the other a file";
    throw new ArtifactCommandError("usage", message);
  }
}

/** Permission bits of digits in octal. */
function modeOf(text: string | undefined): number {
  if (text === undefined) throw new ArtifactCommandError("usage", "--mode: permission bits are needed, such as 0644");
  if (/^0?[0-7]{3,4}$/.test(text)) return Number.parseInt(text, 8);
  throw new ArtifactCommandError("usage", `--mode: "${text}" must be permission bits in octal, such as 0644`);
}

async function install(
  context: ArtifactContext,
  source: string,
  target: string | undefined,
  flags: ChangeFlags & { readonly directory: boolean; readonly mode: string | undefined },
): Promise<void> {
  if (flags.directory) {
    if (target !== undefined) throw new ArtifactCommandError("usage", "--directory takes one ARTIFACT:/DIRECTORY");
    const place = requirePlace(source);
    await change(context, place, flags, (image) => image.makeDirectory(place.path));
    return;
  }
  if (target === undefined) throw new ArtifactCommandError("usage", "install takes a file and ARTIFACT:/PATH");
  await copyIn(context, source, requirePlace(target), flags, modeOf(flags.mode));
}

const text = { type: "string", demandOption: true } as const;

/** `cat`, `cp`, `install` and `rm`: files of the file system image that an artifact brings. */
export function addImageCommands<T>(argv: Argv<T>, context: ArtifactContext): Argv<T> {
  return argv
    .command(
      "cat <place>",
      "Write a file of the image in an artifact to standard output",
      (builder) => addFlags(builder.positional("place", { ...text, describe: "ARTIFACT:/PATH" }), TMP_FLAG),
      ({ place, tmp }) =>
        run(context, false, () =>
          withFileOf(context, requirePlace(place), tmp, async (file) => {
            for await (const chunk of (await sourceFile(context, file)).read()) await context.out.writeBytes(chunk);
          }),
        ),
    )
    .command(
      "cp <from> <to>",
      "Copy a file into the image in an artifact, or out of it",
      (builder) =>
        addFlags(
          builder
            .positional("from", { ...text, describe: "A file, - for standard input, or ARTIFACT:/PATH" })
            .positional("to", { ...text, describe: "ARTIFACT:/PATH, or a file" }),
          CHANGE_FLAGS,
        ),
      (flags) => run(context, false, () => copy(context, flags.from, flags.to, flags)),
    )
    .command(
      "install <source> [target]",
      "Put a file into the image in an artifact, or make a directory there",
      (builder) =>
        addFlags(
          builder
            .positional("source", { ...text, describe: "A file; with --directory ARTIFACT:/DIRECTORY" })
            .positional("target", { type: "string", describe: "ARTIFACT:/PATH" }),
          {
            mode: { type: "string", requiresArg: true, alias: "m", describe: "Permission bits in octal, such as 0644" },
            directory: { ...yes, alias: "d", describe: "Make a directory, and those above it" },
            ...CHANGE_FLAGS,
          },
        ),
      (flags) => run(context, false, () => install(context, flags.source, flags.target, flags)),
    )
    .command(
      "rm <place>",
      "Remove a file of the image in an artifact",
      (builder) =>
        addFlags(builder.positional("place", { ...text, describe: "ARTIFACT:/PATH" }), {
          recursive: { ...yes, alias: "r", describe: "Also a directory, with all that is in it" },
          ...CHANGE_FLAGS,
        }),
      (flags) =>
        run(context, false, () => {
          const place = requirePlace(flags.place);
          return change(context, place, flags, (image) => image.remove(place.path, flags.recursive));
        }),
    );
}
