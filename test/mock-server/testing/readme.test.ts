import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runUpkeepServer, startServer } from "../../support/server.ts";

const ROOT = join(import.meta.dirname, "../../..");
const README = readFileSync(join(ROOT, "mock-server/README.md"), "utf8");

function section(title: string): string {
  const start = README.indexOf(`## ${title}\n`);
  const end = README.slice(start + 3).search(/^## /m);
  if (start < 0 || end < 0) throw new Error(`mock-server/README.md has no section ${title}`);
  return README.slice(start, start + 3 + end);
}

function blocks(title: string, language: string): string[] {
  return [...section(title).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, text = ""]) => text,
  );
}

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-readme-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

test("the README's commands of a running server do what they say", async () => {
  const server = await startServer(join(folder, "data"), ["--test-controls"]);
  try {
    const [, text = ""] = blocks("Control at run time", "sh");
    const lines = text.trim().split("\n");
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) {
      const program = `"${process.execPath}" "${join(ROOT, "mock-server/bin/upkeep-server.mjs")}" control --server ${server.url}`;
      const command = line
        .replace("npx upkeep-server control", program)
        .replace("http://127.0.0.1:8080", server.url)
        .replace("curl ", "curl -sSf ");
      execFileSync("sh", ["-c", command], { stdio: "pipe" });
    }
    const faults = runUpkeepServer(["control", "faults", "list", "--server", server.url]);
    expect(faults).toContain('{"slow":"20 KB/s","to":"download"}');
  } finally {
    await server.stop();
  }
});
