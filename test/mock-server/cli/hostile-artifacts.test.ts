import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { given } from "@upkeep/shared/given";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../agent/system/directory.ts";
import { HOSTILE, hostileArtifact, ZEROS } from "../../shared/artifact/hostile.ts";
import { spawnBounded } from "../../support/bounded.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { type RunningServer, startServer } from "../../support/server.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
/** 16 MiB for an upload, and what garbage has not been collected yet: far less than is decompressed. */
const GROWN_KIB_MAX = 128 * 1024;

const directory = temporaryDirectory();

function file(name: string, content: Uint8Array): string {
  const path = join(directory, `${name}.mender`);
  writeFileSync(path, content);
  return path;
}

describe("a server", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer(join(directory, "data"));
  });
  afterAll(() => server.stop());

  const peakKiB = (): number => {
    const status = readFileSync(`/proc/${server.program.child.pid}/status`, "latin1");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
  };

  /** Upload, and ask for /health all the while. @returns How often it was answered meanwhile, and how it ended. */
  async function upload(path: string): Promise<{ healthy: number; refused?: string; grownKiB: number }> {
    const before = peakKiB();
    let isOver = false;
    let healthy = 0;
    const asking = (async () => {
      while (!isOver) {
        const answer = await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(WAIT_MS) });
        expect(answer.ok).toBe(true);
        if (!isOver) healthy += 1;
      }
    })();
    const refused = await server.management.upload(path).then(
      () => undefined,
      (error: Error) => error.message,
    );
    isOver = true;
    await asking;
    return { healthy, grownKiB: peakKiB() - before, ...given({ refused }) };
  }

  test.each(Object.keys(HOSTILE))("refuses %s, and goes on to answer", async (name) => {
    const { refused, grownKiB } = await upload(file(name, hostileArtifact(name)));
    expect(refused).toMatch(/: 400 .*header\.tar|data\/0000\.tar/);
    expect(grownKiB).toBeLessThan(GROWN_KIB_MAX);
  });

  test.each(ZEROS)("takes %s, 256 MiB of zeros, and answers meanwhile", async (name) => {
    const { refused, healthy, grownKiB } = await upload(file(name, hostileArtifact(name)));
    expect(refused).toBeUndefined();
    expect(healthy).toBeGreaterThanOrEqual(10);
    expect(grownKiB).toBeLessThan(GROWN_KIB_MAX);
  });
});

describe.each(["validate", "read"])("upkeep-server artifact %s", (command) => {
  test.each(Object.keys(HOSTILE))("refuses %s by name, at once", (name) => {
    const path = file(name, hostileArtifact(name));
    const { status, stderr } = spawnBounded(process.execPath, [UPKEEP_SERVER, "artifact", command, path]);
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(/header\.tar|data\/0000\.tar/) });
  });
});
