import { writeArtifact } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import { MemorySink } from "../releases/memory-sink.ts";
import type { ArtifactSpec } from "./face.ts";

/** For the update module single-file: where to write what. */
const SINGLE_FILE: Readonly<Record<string, string>> = {
  dest_dir: "/tmp\n",
  filename: "upkeep-test\n",
  permissions: "644\n",
  "upkeep-test": "hello\n",
};

/** The bytes of an artifact. */
export async function artifactBytes(spec: ArtifactSpec): Promise<Uint8Array> {
  const { name, deviceTypes, type = "single-file", files = SINGLE_FILE, provides, depends } = spec;
  const sink = new MemorySink();
  await writeArtifact(
    {
      kind: "module-image",
      artifactName: name,
      deviceTypes,
      compression: "none",
      type,
      files: Object.entries(files).map(([file, content]) => {
        const bytes = Buffer.from(content);
        return {
          name: file,
          sizeBytes: bytes.length,
          read: async function* () {
            yield bytes;
          },
        };
      }),
      ...given({ provides, depends }),
    },
    sink,
  );
  return sink.content;
}
