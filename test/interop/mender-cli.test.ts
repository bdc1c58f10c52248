import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { describePeer, requirePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const run = promisify(execFile);

describePeer(["mender-cli", "mender-artifact"], "the real mender-cli, unmodified, against our server", () => {
  let folder: string;
  let server: RunningServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-mender-cli-"));
    server = await startServer(join(folder, "server"));
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Its token and configuration are kept below HOME. */
  async function cli(...args: string[]): Promise<string> {
    const { stdout } = await run(requirePeer("mender-cli"), ["--server", server.url, ...args], {
      env: { ...process.env, HOME: folder },
    });
    return stdout;
  }

  test("logs in, uploads, lists and deletes artifacts, and lists devices", async () => {
    await expect(cli("login", "--username", server.email, "--password", "wrong")).rejects.toThrow(/unauthorized|401/i);
    expect(await cli("login", "--username", server.email, "--password", server.password)).toContain("login successful");

    const artifact = makeSingleFileArtifact({
      folder,
      artifactName: "cli-release",
      deviceType: "cli-board",
      destination: "/tmp",
      fileName: "f",
      content: "content\n",
    });
    expect(await cli("artifacts", "upload", "--description", "from the command line", artifact)).toContain(
      "upload successful",
    );
    await expect(cli("artifacts", "upload", artifact)).rejects.toThrow("409");
    expect(readdirSync(join(folder, "server", "artifacts"))).toHaveLength(1);

    const listed = await cli("artifacts", "list", "-d", "3");
    expect(listed).toContain("Name: cli-release");
    expect(listed).toContain("Description: from the command line");
    expect(listed).toContain("cli-board");
    const [, id = ""] = /ID: (\S+)/.exec(listed) ?? [];

    await expect(cli("devices", "list")).resolves.not.toContain("error");

    expect(await cli("artifacts", "delete", id)).toContain("delete successful");
    expect(await cli("artifacts", "list")).not.toContain("cli-release");
    expect(readdirSync(join(folder, "server", "artifacts"))).toEqual([]);
  });
});
