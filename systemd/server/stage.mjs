// Puts the built server and what it needs at run time into a directory: `node systemd/server/stage.mjs DIR`.
// The Debian package and the container are made of it. Needs `npm ci` and `npm run build` before.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const SERVER = join(ROOT, "mock-server");

/** Dependencies that only install others, or are for another runtime than Node. */
const NOT_LOADED = /^(prebuild-install|node-addon-api|bare-.*)$/;
/** Of native packages, only what is loaded: sources and other machines' binaries are most of them. */
const LOADED = {
  "better-sqlite3": [/^package\.json$/, /^LICENSE$/, /^lib(\/|$)/, /^build(\/Release(\/better_sqlite3\.node)?)?$/],
  "lzma-native": [
    ...[/^package\.json$/, /^LICENSE$/, /^index\.js$/, /^lib(\/|$)/, /^prebuilds$/],
    new RegExp(`^prebuilds/${process.platform}-${process.arch}(/|$)`),
  ],
};
/** Not read by a running program. */
const FOR_DEVELOPERS = /(\.map|\.ts|\.mts|\.cts|\.md|\.markdown|\.flow|^\.[a-z].*)$/i;

const manifestOf = (directory) => JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));

/** Where Node finds the package `name` from a directory. @throws Error if it is not installed */
function locate(name, from) {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, "node_modules", name);
    if (existsSync(candidate)) return candidate;
    if (directory === dirname(directory)) throw new Error(`${name}, which ${from} depends on, is not installed`);
  }
}

/** The directories of all packages that the one in `directory` needs at run time. */
function packagesBelow(directory, found = new Set()) {
  for (const name of Object.keys(manifestOf(directory).dependencies ?? {})) {
    if (NOT_LOADED.test(name)) continue;
    const path = locate(name, directory);
    if (found.has(path)) continue;
    found.add(path);
    packagesBelow(path, found);
  }
  return found;
}

function copy(source, target, wanted) {
  cpSync(source, target, {
    recursive: true,
    filter: (path) => {
      const inside = relative(source, path);
      if (inside === "") return true;
      if (inside.split("/").includes("node_modules") || FOR_DEVELOPERS.test(basename(path))) return false;
      return wanted === undefined || wanted.some((pattern) => pattern.test(inside));
    },
  });
}

/** Puts everything below `target`. */
export function stage(target) {
  if (!existsSync(join(SERVER, "dist/upkeep-server.mjs"))) throw new Error("the server is not built: npm run build");
  mkdirSync(target, { recursive: true });
  copy(join(SERVER, "bin"), join(target, "bin"));
  copy(join(SERVER, "dist"), join(target, "dist"), [/^(?!types(\/|$))/]);
  const { name, version, type, engines } = manifestOf(SERVER);
  writeFileSync(join(target, "package.json"), `${JSON.stringify({ name, version, type, engines }, null, 2)}\n`);
  for (const path of packagesBelow(SERVER)) {
    // A package lies beside the server or at the top of the tree: in the target both are one node_modules.
    const inside = relative(path.startsWith(`${SERVER}/`) ? SERVER : ROOT, path);
    if (existsSync(join(target, inside, "package.json")))
      throw new Error(`two versions of ${inside} would lie in one place`);
    copy(path, join(target, inside), LOADED[manifestOf(path).name]);
  }
}

if (process.argv[1] === import.meta.filename) {
  const [target] = process.argv.slice(2);
  if (target === undefined) throw new Error("say where to: node systemd/server/stage.mjs DIR");
  stage(resolve(target));
}
