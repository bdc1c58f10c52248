import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runUpkeepServer, startServer } from "../../support/server.ts";

const ROOT = join(import.meta.dirname, "../../..");
const MODULES = join(ROOT, "node_modules");
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

/** The package as npm would install it, beside everything else that is installed here. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-readme-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  const packed = execFileSync("npm", ["pack", "--json", "--dry-run"], {
    cwd: join(ROOT, "mock-server"),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
  for (const { path } of files.filter(({ path }) => !path.startsWith("dist/types/"))) {
    cpSync(join(ROOT, "mock-server", path), join(modules, "upkeep-server", path), { recursive: true });
  }
  for (const name of readdirSync(MODULES)) {
    if (!["upkeep", "upkeep-server", "@upkeep", ".vite", ".vitest"].includes(name)) {
      symlinkSync(join(MODULES, name), join(modules, name));
    }
  }
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
});

afterAll(() => rmSync(folder, { recursive: true }));

test("the README's tests run as they stand, with the package as npm installs it", () => {
  const examples = blocks("Tests in your own language", "ts");
  expect(examples).toHaveLength(2);
  examples.forEach((text, index) => {
    writeFileSync(join(folder, `example-${index}.test.ts`), text);
  });
  const output = execFileSync(process.execPath, [join(MODULES, "vitest/vitest.mjs"), "run", "--root", folder], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", VITEST: "", VITEST_POOL_ID: "", VITEST_WORKER_ID: "" },
  });
  expect(output).toMatch(/Tests {2}2 passed/);
});

test("its types are complete, and those of the README's tests are right", () => {
  blocks("Tests in your own language", "ts").forEach((text, index) => {
    writeFileSync(join(folder, `example-${index}.test.ts`), text);
  });
  writeFileSync(
    join(folder, "wrong.ts"),
    'import { startServer } from "upkeep-server/testing";\nawait startServer({ listen: 1 });\n',
  );
  const options = {
    compilerOptions: {
      target: "es2022",
      lib: ["es2022", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ ...options, include: ["example-*.test.ts"] }));
  const tsc = (project: string): string => {
    try {
      return execFileSync(process.execPath, [join(MODULES, "typescript/bin/tsc"), "-p", project], {
        cwd: folder,
        encoding: "utf8",
      });
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout);
    }
  };
  expect(tsc("tsconfig.json")).toBe("");
  writeFileSync(join(folder, "wrong.json"), JSON.stringify({ ...options, include: ["wrong.ts"] }));
  expect(tsc("wrong.json")).toContain("wrong.ts(2,21)");
});

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
