// The packages as others install them: packed, and installed in empty folders outside this tree.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const PACKAGES = ["upkeep", "upkeep-artifact", "upkeep-server"];
const LONG_MS = 600_000;
const TOOLS = ["vitest", "typescript", "msw", "@types/node"] as const;
const JEST = "jest@^30.0.0";

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: readonly Packed[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-consumers-"));
  const output = execFileSync(
    "npm",
    ["pack", ...PACKAGES.flatMap((name) => ["-w", name]), "--json", "--pack-destination", folder],
    {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  packed = JSON.parse(output.slice(output.indexOf("["))) as Packed[];
}, LONG_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }), LONG_MS);

/** The environment of a person who has nothing of ours: no settings of the npm or vitest that runs this test. */
function environment(): NodeJS.ProcessEnv {
  const mine = Object.entries(process.env).filter(
    ([name]) => !/^(npm_config_(?!registry|userconfig|globalconfig)|npm_|VITEST|NODE_ENV|NODE_OPTIONS)/.test(name),
  );
  return { ...Object.fromEntries(mine), NO_COLOR: "1" };
}

interface Project {
  readonly path: string;
  /** What npm said while it installed. */
  readonly said: string;
}

/** An empty project with the packages called `names` and `more` installed. */
function project(
  name: string,
  type: "module" | "commonjs",
  names: readonly string[],
  more: readonly string[],
): Project {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, "package.json"), JSON.stringify({ name, type, private: true }));
  const tarballs = packed.filter(({ name }) => names.includes(name)).map(({ filename }) => join(folder, filename));
  // better-sqlite3 would be compiled for minutes: its binary is copied from this tree, where npm made it.
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  const run = spawnSync("npm", ["install", ...flags, ...tarballs, ...more], {
    cwd: path,
    encoding: "utf8",
    env: environment(),
  });
  if (run.status !== 0) throw new Error(`npm install in ${path}: ${run.stdout}${run.stderr}`);
  const binding = "node_modules/better-sqlite3/build";
  if (existsSync(join(path, "node_modules/better-sqlite3"))) {
    cpSync(join(ROOT, binding), join(path, binding), { recursive: true });
  }
  return { path, said: `${run.stdout}${run.stderr}` };
}

function run(path: string, command: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(command, args, { cwd: path, encoding: "utf8", env: environment() });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

const bin = (path: string, name: string): string => join(path, "node_modules/.bin", name);

/** `TOOLS` at the versions that this tree is tested with. */
function tools(): readonly string[] {
  return TOOLS.map((name) => `${name}@${manifest.devDependencies[name]}`);
}

function typeCheck(path: string, file: string, options: Readonly<Record<string, unknown>>): string {
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022", "esnext.disposable"],
    types: ["node"],
    strict: true,
    noEmit: true,
    // Types of msw do not hold without those of a browser.
    skipLibCheck: true,
    ...options,
  };
  writeFileSync(join(path, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  const { stdout } = spawnSync(bin(path, "tsc"), ["-p", "tsconfig.json"], { cwd: path, encoding: "utf8" });
  return stdout;
}

describe("each tarball", () => {
  test("has README, LICENSE and CHANGELOG, and every file that its manifest names", () => {
    expect(packed.map(({ name }) => name).sort()).toEqual(PACKAGES);
    for (const { name, filename, files } of packed) {
      const paths = files.map(({ path }) => path);
      expect(paths, name).toEqual(expect.arrayContaining(["README.md", "LICENSE", "CHANGELOG.md"]));
      const text = execFileSync("tar", ["-xzOf", join(folder, filename), "package/package.json"], { encoding: "utf8" });
      const {
        bin = {},
        exports = {},
        dependencies = {},
      } = JSON.parse(text) as {
        bin?: Record<string, string>;
        exports?: Record<string, unknown>;
        dependencies?: Record<string, string>;
      };
      const targets = [...JSON.stringify([bin, exports]).matchAll(/"\.\/([^"]+\.[cm]?[jt]s)"/g)].map(
        ([, path]) => path,
      );
      expect(targets.length, name).toBeGreaterThan(0);
      expect(
        targets.filter((path) => !paths.includes(path ?? "")),
        name,
      ).toEqual([]);
      expect(
        Object.keys(dependencies).filter((dependency) => /^(@upkeep\/|upkeep)/.test(dependency)),
        name,
      ).toEqual([]);
    }
  });

  test("has only chunks that its programs load", () => {
    const server = packed.find(({ name }) => name === "upkeep-server");
    const chunks = server?.files.map(({ path }) => path).filter((path) => path.endsWith(".mjs")) ?? [];
    const texts = chunks.map((path) => readFileSync(join(ROOT, "mock-server", path), "utf8")).join("\n");
    const unused = chunks.filter(
      (path) => path.startsWith("dist/chunks/") && !texts.includes(path.split("/").at(-1) ?? path),
    );
    expect(unused).toEqual([]);
  });
});

describe("a project of ES modules", { timeout: LONG_MS }, () => {
  let path: string;
  let said: string;

  beforeAll(() => {
    ({ path, said } = project("modules", "module", ["upkeep", "upkeep-server"], tools()));
  }, LONG_MS);

  test("installs the packages without a word about versions of Node, and without the S3 client", () => {
    expect(said).not.toMatch(/EBADENGINE|ERESOLVE|deprecated @upkeep/);
    expect(existsSync(join(path, "node_modules/@aws-sdk"))).toBe(false);
  });

  test("has both commands", () => {
    expect(run(path, bin(path, "upkeep-server"), "--version").trim()).toBe(manifest.version);
    expect(run(path, bin(path, "upkeep"), "--version")).toContain(manifest.version);
    expect(run(path, bin(path, "upkeep"), "--help")).toContain("upkeep daemon");
  });

  test("starts a server, and is told what a bucket needs", async () => {
    const server = spawn(
      bin(path, "upkeep-server"),
      ["serve", "--json", "--listen", "127.0.0.1:0", "--data", join(path, "data")],
      {
        cwd: path,
        env: environment(),
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const ended = once(server, "exit");
    try {
      for await (const line of createInterface({ input: server.stdout })) {
        const { url } = JSON.parse(line) as { url?: string };
        if (url === undefined) continue;
        expect((await fetch(`${url}/health`)).status).toBe(200);
        break;
      }
    } finally {
      server.kill("SIGTERM");
      await ended;
    }
    const keys = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
    const refused = spawnSync(
      bin(path, "upkeep-server"),
      ["serve", "--listen", "127.0.0.1:0", "--data", join(path, "bucket"), "--blobs", "s3://updates"],
      {
        cwd: path,
        env: { ...environment(), ...keys },
        encoding: "utf8",
      },
    );
    expect(refused.stderr).toContain("npm install @aws-sdk/client-s3 @aws-sdk/s3-request-presigner");
    expect(refused.status).toBe(1);
  });

  test("has upkeep-server try, which finds the agent beside itself, and leaves nothing behind", async () => {
    const temporary = join(path, "tmp");
    mkdirSync(temporary);
    const program = spawn(bin(path, "upkeep-server"), ["try"], {
      cwd: path,
      env: { ...environment(), TMPDIR: temporary },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(program, "exit");
    const lines: string[] = [];
    for await (const line of createInterface({ input: program.stdout })) {
      lines.push(line);
      if (/^ +roof +failure$/.test(line)) program.kill("SIGINT");
    }
    expect(await ended, lines.join("\n")).toEqual([0, null]);
    expect(lines.join("\n")).toMatch(/page +http:.*Ended; nothing is left\.$/s);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("runs the examples of the README under vitest, word by word", () => {
    const readme = readFileSync(join(path, "node_modules/upkeep-server/README.md"), "utf8");
    const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, text = ""]) => text);
    expect(examples).toHaveLength(2);
    examples.forEach((text, index) => {
      writeFileSync(join(path, `example-${index}.test.ts`), text);
      expect(typeCheck(path, `example-${index}.test.ts`, { module: "nodenext" })).toBe("");
    });
    expect(run(path, bin(path, "vitest"), "run")).toMatch(/Tests {2}2 passed/);
  });

  test("is told by TypeScript of a wrong option", () => {
    writeFileSync(
      join(path, "wrong.ts"),
      'import { startServer } from "upkeep-server/testing";\nawait startServer({ listen: 1 });\n',
    );
    expect(typeCheck(path, "wrong.ts", { module: "nodenext" })).toContain("wrong.ts(2,21)");
  });
});

const COMMONJS_EXAMPLE = `
const { startServer } = require("upkeep-server/testing");

test("a client without a token is refused", async () => {
  const server = await startServer({ autoAccept: true });
  try {
    await server.uploadArtifact({ name: "release-2", deviceTypes: ["my-board"] });
    const answer = await fetch(server.url + "/api/devices/v2/deployments/device/deployments/next", { method: "POST" });
    assert.equal(answer.status, 401);
  } finally {
    await server.close();
  }
});
`;
/** Not under jest: there, msw's own packages cannot be loaded without further set-up. */
const COMMONJS_MSW = `
const { handlers } = require("upkeep-server/msw");
test("msw gets its handlers", () => assert.equal(handlers({ url: "http://upkeep.test" }).length, 1));
`;

describe("a project of CommonJS", { timeout: LONG_MS }, () => {
  let path: string;

  beforeAll(() => {
    ({ path } = project("commonjs", "commonjs", ["upkeep-server"], [...tools(), JEST]));
  }, LONG_MS);

  test("is told what upkeep-server try needs: the agent is not installed here", () => {
    const { stderr, status } = spawnSync(process.execPath, [bin(path, "upkeep-server"), "try"], {
      cwd: path,
      env: { ...environment(), PATH: "" },
      encoding: "utf8",
    });
    expect(stderr).toContain("  npx --package upkeep --package upkeep-server upkeep-server try\n");
    expect(status).toBe(1);
  });

  test("starts a server under node:test", () => {
    writeFileSync(
      join(path, "server.cjs"),
      `const { test } = require("node:test");\nconst assert = require("node:assert");\n${COMMONJS_EXAMPLE}${COMMONJS_MSW}`,
    );
    expect(run(path, process.execPath, "--test", "server.cjs")).toMatch(/pass 2\b/);
  });

  test("starts a server under jest", () => {
    writeFileSync(join(path, "server.test.js"), `const assert = require("node:assert");\n${COMMONJS_EXAMPLE}`);
    expect(run(path, bin(path, "jest"), "--testTimeout=60000", "server.test.js")).toMatch(/Tests:\s+1 passed/);
  });

  test("has the types", () => {
    const text =
      'import { startServer } from "upkeep-server/testing";\nimport { handlers } from "upkeep-server/msw";\n';
    writeFileSync(
      join(path, "typed.ts"),
      `${text}void startServer({ autoAccept: true }).then((server) => handlers(server));\n`,
    );
    expect(typeCheck(path, "typed.ts", { module: "nodenext" })).toBe("");
    expect(typeCheck(path, "typed.ts", { module: "node16", moduleResolution: "node16" })).toBe("");
  });
});

const LIBRARY_USER = `
import { deepEqual } from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { list, write } from "./example.js";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const privatePem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const publicPem = publicKey.export({ type: "spki", format: "pem" }).toString();
await write("release-1.mender", "package.json", privatePem);
const [line = ""] = await list("release-1.mender", publicPem);
deepEqual(line.replace(/[0-9]+ bytes/, "N bytes"), "release-1: app.conf, N bytes");
const other = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
deepEqual(await list("release-1.mender", other).catch((error: { code?: string }) => error.code), "signature-mismatch");
console.log("written, verified, listed");
`;

describe("a project with the artifact library alone", { timeout: LONG_MS }, () => {
  test("writes, signs, verifies and lists an artifact as the README says", () => {
    const types = `@types/node@${manifest.devDependencies["@types/node"]}`;
    const { path } = project(
      "library",
      "module",
      ["upkeep-artifact"],
      [types, `typescript@${manifest.devDependencies.typescript}`],
    );
    expect(existsSync(join(path, "node_modules/better-sqlite3"))).toBe(false);
    const readme = readFileSync(join(path, "node_modules/upkeep-artifact/README.md"), "utf8");
    const [, example = ""] = /^```ts\n(.*?)^```/ms.exec(readme) ?? [];
    writeFileSync(join(path, "example.ts"), example);
    writeFileSync(join(path, "user.ts"), LIBRARY_USER);
    const compilerOptions = { target: "es2022", module: "nodenext", types: ["node"], strict: true };
    writeFileSync(join(path, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["user.ts"] }));
    run(path, bin(path, "tsc"), "-p", "tsconfig.json");
    expect(run(path, process.execPath, "user.js")).toContain("written, verified, listed");
    const commonjs = 'const { openArtifact } = require("upkeep-artifact"); console.log(typeof openArtifact);';
    expect(run(path, process.execPath, "--input-type=commonjs", "-e", commonjs)).toContain("function");
  });
});
