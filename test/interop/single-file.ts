import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SingleFile {
  readonly folder: string;
  readonly artifactName: string;
  readonly deviceType: string;
  /** Absolute directory on the device. */
  readonly destination: string;
  readonly fileName: string;
  readonly content: string;
  /** Payload type; `single-file` when absent. */
  readonly type?: string;
  readonly extraArgs?: readonly string[];
}

/** An artifact for the module single-file, made by the real mender-artifact. Returns its path. */
export function makeSingleFileArtifact(options: SingleFile): string {
  const payload = join(options.folder, `payload-${options.artifactName}`);
  mkdirSync(payload);
  const files = {
    dest_dir: `${options.destination}\n`,
    filename: `${options.fileName}\n`,
    permissions: "644\n",
    [options.fileName]: options.content,
  };
  const flags = Object.entries(files).flatMap(([name, content]) => {
    writeFileSync(join(payload, name), content);
    return ["-f", join(payload, name)];
  });
  const artifact = join(options.folder, `${options.artifactName}.mender`);
  execFileSync(
    "mender-artifact",
    [
      ...[
        "write",
        "module-image",
        "-T",
        options.type ?? "single-file",
        "-n",
        options.artifactName,
        "-t",
        options.deviceType,
      ],
      ...["-o", artifact, ...flags, ...(options.extraArgs ?? [])],
    ],
    { stdio: "pipe" },
  );
  return artifact;
}
