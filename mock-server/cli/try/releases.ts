import { type SourceFile, writeArtifact } from "@upkeep/shared/artifact/write";
import type { Random } from "@upkeep/shared/system";
import { MemorySink } from "../../releases/memory-sink.ts";
import { APP_MODULE, appText } from "./app.ts";

export const DEVICE_TYPE = "demo-board";

/** Of the second release, random: a device with a slow link takes a while to download it. */
const PICTURES_BYTES = 2_000_000;
const RANDOM_BYTES_MAX = 65_536;

const NEEDS_CAMERA = `if [ -e "$UPKEEP_ROOT/dev/camera" ]; then
  echo "the camera answers"
else
  echo "ERROR: no camera at $UPKEEP_ROOT/dev/camera, and app-2.0 needs one" >&2
  exit 1
fi`;

export interface Release {
  readonly name: string;
  readonly artifact: Uint8Array;
}

function sourceFile(name: string, content: Uint8Array): SourceFile {
  return {
    name,
    sizeBytes: content.length,
    read: async function* () {
      yield content;
    },
  };
}

async function release(name: string, files: readonly SourceFile[]): Promise<Release> {
  const sink = new MemorySink();
  const plan = { artifactName: name, deviceTypes: [DEVICE_TYPE], type: APP_MODULE, files } as const;
  await writeArtifact({ kind: "module-image", compression: "none", ...plan }, sink);
  return { name, artifact: sink.content };
}

/** Two releases: one that installs anywhere, and one that is large and needs a camera. */
export async function makeReleases(random: Random): Promise<readonly [first: Release, second: Release]> {
  const app = (name: string, selfTest: string): SourceFile => sourceFile("app", Buffer.from(appText(name, selfTest)));
  const parts = Array.from({ length: Math.ceil(PICTURES_BYTES / RANDOM_BYTES_MAX) }, () =>
    random.bytes(RANDOM_BYTES_MAX),
  );
  return [
    await release("app-1.0", [app("app-1.0", 'echo "nothing to test"')]),
    await release("app-2.0", [app("app-2.0", NEEDS_CAMERA), sourceFile("pictures", Buffer.concat(parts))]),
  ];
}
