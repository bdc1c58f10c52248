import { readFileSync, writeFileSync } from "node:fs";

/** Of this process, in bytes, as the kernel counts it: threads and native memory included. */
function statusValue(name: "VmHWM" | "VmRSS"): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
  if (line?.[1] === undefined) throw new Error(`/proc/self/status has no ${name}`);
  return Number(line[1]) * 1024;
}

let baseline = Number.POSITIVE_INFINITY;

/**
 * Peak memory of what happens from now on. @returns Measures how far the peak is above the baseline: the least that
 * was ever in use before an input, so that what is kept from one to the next counts too.
 */
export function watchMemory(): () => number {
  // 5 resets the peak (proc_pid_clear_refs(5)).
  writeFileSync("/proc/self/clear_refs", "5");
  baseline = Math.min(baseline, statusValue("VmRSS"));
  return () => Math.max(0, statusValue("VmHWM") - baseline);
}

/** The baseline is found anew: what was done for the first time stays in memory. */
export function forgetBaseline(): void {
  baseline = Number.POSITIVE_INFINITY;
}

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const XZ_MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
const MIB = 1024 * 1024;
/** Larger windows are refused. */
const ZSTD_WINDOW_MAX = 128 * MIB;
const XZ_WINDOW_MAX = 64 * MIB;

function each(bytes: Buffer, magic: Buffer, windowAt: (at: number) => number): number {
  let largest = 0;
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1))
    largest = Math.max(largest, windowAt(at));
  return largest;
}

/** The largest window that a compressed stream in these bytes asks for, and may have. */
export function declaredWindow(bytes: Buffer): number {
  const zstd = each(bytes, ZSTD_MAGIC, (at) => {
    const descriptor = bytes[at + 4] ?? 0;
    const code = bytes[at + 5] ?? 0;
    if ((descriptor & 0x20) === 0) return Math.min(ZSTD_WINDOW_MAX, 2 ** (10 + (code >>> 3)) * (1 + (code & 7) / 8));
    const sizeBytes = descriptor >>> 6 === 0 ? 1 : 1 << (descriptor >>> 6);
    const end = Math.min(at + 5 + Math.min(sizeBytes, 6), bytes.length);
    return end <= at + 5 ? 0 : Math.min(ZSTD_WINDOW_MAX, bytes.readUIntLE(at + 5, end - at - 5));
  });
  // A damaged header may ask for anything up to the limit.
  const xz = each(bytes, XZ_MAGIC, (at) => {
    const [filter, length, size = 40] = bytes.subarray(at + 14, at + 17);
    if (filter !== 0x21 || length !== 1 || size > 40) return XZ_WINDOW_MAX;
    return Math.min(XZ_WINDOW_MAX, (2 | (size & 1)) * 2 ** (Math.floor(size / 2) + 11));
  });
  return Math.max(zstd, xz);
}
