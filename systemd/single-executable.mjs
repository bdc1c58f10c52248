// Makes the agent one executable with Node inside: a single executable application of Node's.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { endianness, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import postject from "postject";

const SENTINEL = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const MACHINE_OFFSET = 18;
/** ELF's number of a machine → Debian's name of the architecture, and the prefix of its binutils. */
const MACHINES = {
  62: { architecture: "amd64", tools: "x86_64-linux-gnu-" },
  183: { architecture: "arm64", tools: "aarch64-linux-gnu-" },
  40: { architecture: "armhf", tools: "arm-linux-gnueabihf-" },
};
const OWN = { x64: "amd64", arm64: "arm64", arm: "armhf" }[process.arch];

/** The Debian packages of the libraries that a Node from nodejs.org is linked with. */
const LIBRARIES = [
  [/^lib(c|m|dl|pthread|rt)\.so\.\d+$|^ld-linux/, "libc6 (>= 2.28)"],
  [/^libstdc\+\+\.so\.6$/, "libstdc++6"],
  [/^libgcc_s\.so\.1$/, "libgcc-s1"],
  [/^libatomic\.so\.1$/, "libatomic1"],
];

function machineOf(node) {
  const bytes = readFileSync(node).subarray(0, 64);
  if (bytes.toString("latin1", 1, 4) !== "ELF" || endianness() !== "LE")
    throw new Error(`--node ${node} is no program`);
  const machine = MACHINES[bytes.readUInt16LE(MACHINE_OFFSET)];
  if (machine === undefined) throw new Error(`--node ${node} is for a machine that is not known here`);
  return machine;
}

/** Where `readelf` and `strip` for a machine are: those of binutils read their own machine alone. */
function tool(name, { architecture, tools }) {
  return architecture === OWN ? name : `${tools}${name}`;
}

/** @throws Error if Node needs libraries that a device has only with Debian's own nodejs. */
function packagesOf(node, machine) {
  const text = execFileSync(tool("readelf", machine), ["--dynamic", "--wide", node], { encoding: "utf8" });
  const needed = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library);
  const packages = needed.map((library) => {
    const found = LIBRARIES.find(([pattern]) => pattern.test(library));
    if (found !== undefined) return found[1];
    throw new Error(`--node ${node} needs ${library}, as Debian's own does: take one from nodejs.org`);
  });
  return [...new Set(packages)].sort();
}

/** The licence of Node, which has to come with it. */
function licenceOf(node, given) {
  const places = [given, join(dirname(node), "../LICENSE"), join(dirname(node), "../share/doc/nodejs/LICENSE")];
  const found = places.find((path) => path !== undefined && existsSync(path));
  if (found !== undefined) return readFileSync(found);
  throw new Error(`the licence of Node is not beside ${node}: --node-licence FILE says where it is`);
}

/**
 * @param program The agent's bundle: one CommonJS file.
 * @param node The Node that is put in; of this process's version, for any machine in `MACHINES`.
 * @param target The executable that is written.
 */
export async function makeSingleExecutable({ program, node, licence, target }) {
  const machine = machineOf(node);
  const folder = mkdtempSync(join(tmpdir(), "upkeep-single-"));
  try {
    const [main, output, config] = ["main.cjs", "blob", "config.json"].map((name) => join(folder, name));
    writeFileSync(main, program.replace(/^#!.*\n/, ""));
    const isOwn = machine.architecture === OWN;
    // Compiled code is of one machine and one version.
    const options = { main, output, disableExperimentalSEAWarning: true, useCodeCache: isOwn };
    writeFileSync(config, JSON.stringify(options));
    execFileSync(process.execPath, ["--experimental-sea-config", config], { stdio: "pipe" });
    copyFileSync(node, target);
    chmodSync(target, 0o755);
    // Before the agent is put in: it would not survive. Symbols are 10 MB.
    execFileSync(tool("strip", machine), [target]);
    await inject(target, readFileSync(output));
    chmodSync(target, 0o755);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    architecture: machine.architecture,
    depends: packagesOf(node, machine),
    licence: licenceOf(node, licence),
  };
}

/** Postject's library complains of names of notes, which do not matter. */
async function inject(target, blob) {
  const { warn, error } = console;
  console.warn = console.error = () => undefined;
  try {
    await postject.inject(target, "NODE_SEA_BLOB", blob, { sentinelFuse: SENTINEL });
  } finally {
    Object.assign(console, { warn, error });
  }
}
