import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { randomBytes } from "node:crypto";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
const AGENT = "/work/wt/agent19/agent";
const SIZE = Number(process.env.MEM_MIB ?? 192) * 1024 * 1024;
test("mem", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zz-mem-"));
  const old = randomBytes(SIZE);
  const wanted = Buffer.from(old);
  for (let at = 0; at < SIZE; at += 300_000) randomBytes(30_000).copy(wanted, at);
  const file = join(folder, "image");
  writeFileSync(file, wanted);
  const server = await startServer(join(folder, "server"), ["--auto-accept"]);
  const out = join(folder, "a.mender");
  execFileSync("node", ["mock-server/bin/upkeep-server.mjs", "artifact", "write", "module-image", "-T", "sink", "-t", "b", "-n", "r2", "-f", file, "-o", out], { cwd: "/work/wt/agent19", stdio: "inherit" });
  const id = await server.management.upload(out);
  await until("ix", async () => ((await server.management.json<any>(`/api/management/v1/deployments/artifacts/${id}`)).adaptive?.state === "ready") || undefined, { limitMs: 400_000 } as never);
  for (const adaptive of [false, true]) {
    const root = mkdtempSync(join(folder, "dev-"));
    mkdirSync(join(root, "opt"));
    writeFileSync(join(root, "opt/image"), old);
    createAgentRoot(root, { serverUrl: server.url, deviceType: "b", identity: { mac: `m${adaptive}` }, config: { AdaptiveDownloads: adaptive, AdaptiveSeeds: ["/opt/image"] },
      modules: { sink: `#!/bin/sh\ncase $1 in Download) while read -r line < $2/stream-next && [ -n "$line" ]; do sha256sum < $2/$line >> ${root}/sums; done ;; esac\n` } });
    const agent = startAgent(root);
    const { id: device } = await server.management.device("mac", `m${adaptive}`, agent.output);
    const before = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${agent.child.pid}/status`, "utf8"))?.[1];
    const t = performance.now();
    const d = await server.management.deploy("r2", [device], `x ${adaptive}`);
    const [one] = await server.management.finished(d, agent.output, 300_000);
    const status = readFileSync(`/proc/${agent.child.pid}/status`, "utf8");
    const stat = readFileSync(`/proc/${agent.child.pid}/stat`, "utf8").split(" ");
    console.log("adaptive", adaptive, "before", before, "HWM", /VmHWM:\s+(\d+)/.exec(status)?.[1], "seconds", (performance.now() - t) / 1000, "cpu", (Number(stat[13]) + Number(stat[14])) / 100, JSON.stringify((one as any).download), one?.status);
    console.log(agent.output().split("\n").filter((l) => /adaptive download|complete/.test(l)).join("\n").slice(0, 900));
    await agent.stop();
    rmSync(root, { recursive: true });
  }
  await server.stop();
  rmSync(folder, { recursive: true });
}, 900_000);
