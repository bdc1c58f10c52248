// Scripts that make artifacts for update modules call `mender-artifact` by its name. Here that is our built tool
// (`npm run build`): in the way in which those of Mender and of public collections of modules call it.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chunked, readBack } from "../shared/artifact/support.ts";
import { peerPath } from "./peers.ts";

const PROGRAM = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");

let folder: string;
const at = (name: string): string => join(folder, name);

/** A command that the scripts call. */
function tool(directory: string, line: string): void {
  mkdirSync(at(directory), { recursive: true });
  writeFileSync(at(`${directory}/mender-artifact`), `#!/bin/sh\nexec ${line} "$@"\n`);
  chmodSync(at(`${directory}/mender-artifact`), 0o755);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-generators-"));
  tool("ours", `${process.execPath} ${PROGRAM} artifact`);
  for (const [name, content] of Object.entries({
    "app.conf": "a = b\n",
    "firmware.bin": "code\n",
    "two.yaml": "b: c\n",
  })) {
    writeFileSync(at(name), content);
  }
  mkdirSync(at("tree/etc"), { recursive: true });
  writeFileSync(at("tree/etc/file"), "in a tree\n");
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(script: string, directory: string) {
  const path = `${at(directory)}:${process.env.PATH}`;
  const { status, stdout, stderr } = spawnSync("bash", ["-e", "-c", script], {
    cwd: folder,
    env: { ...process.env, PATH: path, OUT: `${directory}.mender` },
    encoding: "utf8",
  });
  return { status, out: stdout, error: stderr };
}

/** The kinds of scripts, by what they are for. Each writes $OUT, and most read it afterwards. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "one file, from an array of device types": `
    types=(--device-type board --device-type board-2); extra=()
    mkdir -p made && echo /etc > made/dest_dir && echo app.conf > made/filename && stat -c %a app.conf > made/permissions
    mender-artifact write module-image -T single-file "\${types[@]}" -o "$OUT" -n release-1 \\
      -f made/dest_dir -f made/filename -f made/permissions -f app.conf "\${extra[@]}"
    [ -s "$OUT" ]
    mender-artifact read "$OUT"`,
  "a tree, as one tar": `
    tar -cf update.tar --mtime=@0 --sort=name -C tree . && echo /opt > dest_dir
    mender-artifact write module-image -T directory --device-type board -o $OUT -n release-1 -f update.tar -f dest_dir \\
      --software-name app --software-version 1.2
    mender-artifact read $OUT`,
  "a tree with a list of its files": `
    tar -cf update.tar --mtime=@0 --sort=name -C tree etc && (cd tree && find etc -type f) > manifest && echo / > dest_dir
    mender-artifact write module-image -T dir-overlay -t board -o $OUT -n release-1 -f update.tar -f dest_dir -f manifest`,
  "meta-data alone": `
    echo '{"containers":["registry/image@sha256:00"],"run_args":""}' > meta-data.json
    mender-artifact write module-image -T docker -t board -o $OUT -n release-1 -m meta-data.json
    mender-artifact read $OUT && rm meta-data.json`,
  "files by a list of words": `
    files=" firmware.bin two.yaml"
    mender-artifact write module-image -T k8s -t board -o $OUT -n release-1 $(echo "$files" | sed -e 's/ / -f /g')`,
  "neither files nor meta-data": `
    mender-artifact write module-image -T reboot -t board -o $OUT -n release-1 && mender-artifact read $OUT`,
  "a firmware, uncompressed, with long flags": `
    mender-artifact write module-image --compression none --device-type board --artifact-name release-1 \\
      --type zephyr-image --output-path $OUT --file firmware.bin`,
  "the configuration of a device": `
    echo '{"timezone":"UTC"}' > configuration.json
    mender-artifact write module-image -T mender-configure -t board -o $OUT -n configuration-1 \\
      --software-filesystem data-partition --software-version 1 -m configuration.json`,
  "an application with files of its own": `
    work=$(mktemp -d) && echo /data/app > $work/dest_dir && cp app.conf two.yaml $work
    mender-artifact write module-image -T persistent-app -t board -o $OUT -n release-1 \\
      --software-filesystem data-partition --software-name app -f $work/dest_dir -f $work/app.conf -f $work/two.yaml
    rm -r $work`,
  "a delta between two root file systems": `
    mender-artifact write module-image -T mender-binary-delta -t board -o $OUT -n release-2 -f firmware.bin \\
      --depends rootfs-image.checksum:00 --provides rootfs-image.checksum:11 --provides rootfs-image.version:release-2 \\
      --no-default-software-version --clears-provides 'rootfs-image.*' --clears-provides artifact_group`,
  "flags of the caller behind those of the script, where the last counts": `
    printf '#!/bin/sh\\n' > ArtifactInstall_Enter_01_check
    mender-artifact write module-image -T app -t board -o elsewhere.mender -n release-1 -f app.conf \\
      -n release-2 -o $OUT -s ArtifactInstall_Enter_01_check`,
  "an image, its compression before the command": `
    mender-artifact --compression lzma write rootfs-image -t board -n release-1 -f firmware.bin -o $OUT
    mender-artifact validate $OUT`,
  "the state of a new device": `
    mender-artifact write bootstrap-artifact -n factory -t board -o $OUT -p rootfs-image.version:factory \\
      -p rootfs-image.checksum:00 --clears-provides 'rootfs-image.*' -v 3`,
  "the name of an artifact, read from it": `
    mender-artifact write module-image -T app -t board -o $OUT -n release-1
    name=$(mender-artifact read $OUT 2> /dev/null | sed -n 's/^ *Name: //p')
    test "$name" = release-1`,
};

async function told(name: string) {
  const { header, files } = await readBack(chunked(readFileSync(at(name))));
  const { headerInfoJson, payloads, compression, scripts } = header;
  return {
    ...{ headerInfoJson, compression, scripts: scripts.map((script) => script.name) },
    payloads: payloads.map(({ typeInfoJson, metaDataJson }) => [
      JSON.parse(typeInfoJson.replace('"type":""', '"type":"rootfs-image"')),
      JSON.parse(metaDataJson ?? "null"),
    ]),
    files: Object.fromEntries([...files].map(([file, content]) => [file, content.toString("base64")])),
  };
}

describe("with our tool by the name of mender-artifact, a script makes", () => {
  const reference = peerPath("mender-artifact");

  it.each(Object.entries(SCRIPTS))("%s", async (_, script) => {
    expect(run(script, "ours")).toMatchObject({ status: 0 });
    const mine = await told("ours.mender");
    expect(mine.payloads).toHaveLength(1);
    if (reference === undefined) return;
    tool("theirs", reference);
    expect(run(script, "theirs")).toMatchObject({ status: 0 });
    expect(mine).toEqual(await told("theirs.mender"));
  });

  it("nothing where it fails: the script sees the exit status", () => {
    const script =
      'mender-artifact write module-image -T app -t board -n r -o $OUT -f /nonexistent; echo "not reached"';
    const { status, out, error } = run(script, "ours");
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(error).toBe("upkeep-server: /nonexistent: there is no such file\n");
  });

  it("a check of the tool's version", () => {
    expect(run("mender-artifact --version", "ours").out).toMatch(/^upkeep-server version \d+\.\d+\.\d+\n$/);
  });
});
