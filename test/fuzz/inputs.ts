import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Compression } from "@upkeep/shared/artifact";
import { COMPRESSORS } from "../../mock-server/releases/compression.ts";
import { changedBytes } from "./bytes.ts";
import { Chance } from "./chance.ts";
import { crafted } from "./crafted.ts";
import { changedJson } from "./json.ts";
import { changedTar, type TarFile, tarOf } from "./tar.ts";

/** One input of the fuzzer: the same seed gives the same one. */
export interface Input {
  readonly seed: string;
  readonly bytes: Buffer;
  /** What was done to an artifact that was in order. */
  readonly what: string;
}

const SUFFIX: Readonly<Record<Compression, string>> = { none: "", gzip: ".gz", xz: ".xz", zstd: ".zst" };
const COMPRESSIONS = ["none", "gzip", "xz", "zstd"] as const;

async function compressed(kind: Compression, content: Buffer): Promise<Buffer> {
  if (kind === "none") return content;
  if (kind === "gzip") return gzipSync(content, { level: 6 });
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield content;
  };
  const compress = COMPRESSORS[kind];
  if (compress === undefined) throw new Error(`there is no compressor for ${kind}`);
  const pieces: Uint8Array[] = [];
  for await (const piece of compress(source())) pieces.push(piece);
  return Buffer.concat(pieces);
}

const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** What an artifact is put together of. */
interface Parts {
  headerInfo: string;
  typeInfo: string;
  metaData: string | undefined;
  scripts: TarFile[];
  files: TarFile[];
  header: Compression;
  payload: Compression;
}

/** What may be done to each layer before the next is put around it. */
interface Hooks {
  headerTar?: (tar: Buffer) => Buffer;
  headerStream?: (stream: Buffer) => Buffer;
  payloadTar?: (tar: Buffer) => Buffer;
  payloadStream?: (stream: Buffer) => Buffer;
  manifest?: (text: string) => string;
  outer?: (tar: Buffer) => Buffer;
}

async function putTogether(parts: Parts, hooks: Hooks = {}): Promise<Buffer> {
  const same = <T>(value: T): T => value;
  const version = Buffer.from('{"format":"mender","version":3}');
  const headerTar = tarOf([
    { name: "header-info", content: Buffer.from(parts.headerInfo) },
    ...parts.scripts,
    { name: "headers/0000/type-info", content: Buffer.from(parts.typeInfo) },
    ...(parts.metaData === undefined ? [] : [{ name: "headers/0000/meta-data", content: Buffer.from(parts.metaData) }]),
  ]);
  const header = (hooks.headerStream ?? same)(await compressed(parts.header, (hooks.headerTar ?? same)(headerTar)));
  const payloadTar = (hooks.payloadTar ?? same)(tarOf(parts.files));
  const payload = (hooks.payloadStream ?? same)(await compressed(parts.payload, payloadTar));
  const headerName = `header.tar${SUFFIX[parts.header]}`;
  const lines = [
    ...parts.files.map(({ name, content }) => `${sha256(content)}  data/0000/${name}\n`),
    `${sha256(header)}  ${headerName}\n`,
    `${sha256(version)}  version\n`,
  ];
  const manifest = (hooks.manifest ?? same)(lines.join(""));
  const outer = tarOf([
    { name: "version", content: version },
    { name: "manifest", content: Buffer.from(manifest) },
    { name: headerName, content: header },
    { name: `data/0000.tar${SUFFIX[parts.payload]}`, content: payload },
  ]);
  return (hooks.outer ?? same)(outer);
}

function partsFrom(chance: Chance): Parts {
  const headerInfo = {
    payloads: [{ type: "app" }],
    artifact_provides: { artifact_name: "release-1", artifact_group: "canary" },
    artifact_depends: { device_type: ["board", "board-2"], artifact_name: ["release-0"], artifact_group: ["canary"] },
  };
  const typeInfo = {
    type: "app",
    artifact_provides: { "app.version": "1", "app.flavour": "sweet" },
    artifact_depends: { "boot.version": ["1", "2"] },
    clears_artifact_provides: ["app.*"],
  };
  const text = Buffer.from("the same line over and over\n".repeat(chance.of([1, 40, 2000])));
  const noise = chance.bytes(chance.of([0, 1, 511, 512, 3000]));
  return {
    headerInfo: JSON.stringify(headerInfo),
    typeInfo: JSON.stringify(typeInfo),
    metaData: chance.happens(0.7) ? '{"mode":420,"list":[1,{"a":"b"}],"text":"x"}' : undefined,
    scripts: chance.happens(0.5)
      ? [{ name: "scripts/ArtifactInstall_Enter_10_stop", content: Buffer.from("#!/bin/sh\n") }]
      : [],
    files: [
      { name: "text", content: text },
      { name: "noise.bin", content: noise },
    ].slice(0, chance.of([0, 1, 2, 2])),
    header: chance.of(COMPRESSIONS),
    payload: chance.of(COMPRESSIONS),
  };
}

const SEEDS = join(import.meta.dirname, "seeds");
/** Artifacts that showed a fault once. */
export function keptInputs(): Input[] {
  return readdirSync(SEEDS)
    .filter((name) => name.endsWith(".mender"))
    .sort()
    .map((name) => ({ seed: name, bytes: readFileSync(join(SEEDS, name)), what: `kept: ${name}` }));
}

const MIB = 1024 * 1024;

/** A little that becomes much, at a place that must bound it. */
async function bomb(chance: Chance, parts: Parts): Promise<{ bytes: Buffer; what: string }> {
  const kind = chance.of(COMPRESSIONS.slice(1));
  const size = chance.between(1, 40) * MIB;
  const zeros = Buffer.alloc(size);
  switch (chance.below(5)) {
    case 0: {
      const files = [{ name: "zeros", content: zeros }];
      return {
        bytes: await putTogether({ ...parts, payload: kind, files }),
        what: `payload of ${size} zeros, ${kind}`,
      };
    }
    case 1: {
      const scripts = [{ name: "scripts/ArtifactInstall_Enter_10_zeros", content: zeros }];
      return {
        bytes: await putTogether({ ...parts, header: kind, scripts }),
        what: `header of ${size} zeros, ${kind}`,
      };
    }
    case 2: {
      // Zeros where a tar would end, or behind an end that came already.
      const headerTar = (tar: Buffer): Buffer => Buffer.concat([tar, zeros]);
      return {
        bytes: await putTogether({ ...parts, header: kind }, { headerTar }),
        what: `zeros behind a header, ${kind}`,
      };
    }
    case 3: {
      const payloadTar = (tar: Buffer): Buffer => Buffer.concat([tar, zeros]);
      return {
        bytes: await putTogether({ ...parts, payload: kind }, { payloadTar }),
        what: `zeros behind a payload, ${kind}`,
      };
    }
    default: {
      const { stream, what } = crafted(chance);
      const hooks: Hooks = chance.happens(0.5) ? { headerStream: () => stream } : { payloadStream: () => stream };
      const at = hooks.headerStream === undefined ? "payload" : "header";
      return { bytes: await putTogether({ ...parts, [at]: "zstd" }, hooks), what: `${at}: ${what}` };
    }
  }
}

type Mutation = (
  chance: Chance,
  parts: Parts,
  other: () => Promise<Buffer>,
) => Promise<{ bytes: Buffer; what: string }>;

/** The ways in which inputs are made, and how often each is chosen. */
const MUTATIONS: readonly (readonly [number, Mutation])[] = [
  [1, async (_chance, parts) => ({ bytes: await putTogether(parts), what: "in order" })],
  [
    3,
    async (chance, parts, other) => {
      const tail = await other();
      const { bytes, how } = changedBytes(chance, await putTogether(parts), () => tail);
      return { bytes, what: `artifact: ${how}` };
    },
  ],
  [
    3,
    async (chance, parts) => {
      const layer = chance.of(["headerTar", "payloadTar", "outer"] as const);
      let what = "";
      const change = (tar: Buffer): Buffer => {
        const { bytes, how } = changedTar(chance, tar);
        what = `${layer}: ${how}`;
        return bytes;
      };
      return { bytes: await putTogether(parts, { [layer]: change }), what };
    },
  ],
  [
    5,
    async (chance, parts) => {
      const which = chance.of(["headerInfo", "typeInfo", "metaData"] as const);
      const { text, how } = changedJson(chance, parts[which] ?? '{"a":1}');
      return { bytes: await putTogether({ ...parts, [which]: text }), what: `${which}: ${how}` };
    },
  ],
  [
    1,
    async (chance, parts) => {
      let what = "";
      const manifest = (text: string): string => {
        const { bytes, how } = changedBytes(chance, Buffer.from(text), () =>
          Buffer.from(`${"0".repeat(64)}  data/0000/x\n`),
        );
        what = `manifest: ${how}`;
        return bytes.toString("latin1");
      };
      return { bytes: await putTogether(parts, { manifest }), what };
    },
  ],
  [
    5,
    async (chance, parts) => {
      const layer = chance.of(["headerStream", "payloadStream"] as const);
      const kind = layer === "headerStream" ? parts.header : parts.payload;
      const another = await compressed(kind, tarOf([{ name: "other", content: chance.bytes(2000) }]));
      let what = "";
      const change = (stream: Buffer): Buffer => {
        const { bytes, how } = changedBytes(chance, stream, () => another);
        what = `${layer} ${kind}: ${how}`;
        return bytes;
      };
      return { bytes: await putTogether(parts, { [layer]: change }), what };
    },
  ],
  [0.4, bomb],
  [
    0.3,
    async (chance, _parts, other) => {
      const kept = chance.of(keptInputs());
      const tail = await other();
      const { bytes, how } = changedBytes(chance, kept.bytes, () => tail);
      return { bytes, what: `${kept.seed}: ${how}` };
    },
  ],
];

const TOTAL_WEIGHT = MUTATIONS.reduce((total, [weight]) => total + weight, 0);

/** What seeds of artifacts in order begin with. */
export const PLAIN = "plain:";

/** The input of a seed. */
export async function inputOf(seed: string): Promise<Input> {
  const chance = new Chance(seed);
  if (seed.startsWith(PLAIN)) return { seed, bytes: await putTogether(partsFrom(chance)), what: "in order" };
  let at = (chance.bits() / 2 ** 32) * TOTAL_WEIGHT;
  const mutation = MUTATIONS.find(([weight]) => {
    at -= weight;
    return at < 0;
  })?.[1];
  if (mutation === undefined) throw new Error("no mutation was chosen");
  const { bytes, what } = await mutation(chance, partsFrom(chance), () => putTogether(partsFrom(chance)));
  return { seed, bytes, what };
}
