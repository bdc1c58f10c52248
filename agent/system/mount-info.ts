/** The kernel's list of mounted file systems. */

export interface Mount {
  /** `major:minor` of the device; the major number is 0 for file systems that have no single block device. */
  readonly deviceNumber: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** What was mounted, such as `/dev/mmcblk0p2`, `ubi0:rootfs` or `overlay`. */
  readonly source: string;
}

/** The kernel writes blanks and backslashes in octal. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** `/proc/self/mountinfo`, in the order of mounting. */
export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    // The number of optional fields before the dash varies.
    const dash = fields.indexOf("-", 6);
    const [deviceNumber, mountPoint, fileSystem, source] = [fields[2], fields[4], fields[dash + 1], fields[dash + 2]];
    if (dash === -1 || !deviceNumber || !mountPoint || !fileSystem || source === undefined) continue;
    mounts.push({ deviceNumber, mountPoint: unescaped(mountPoint), fileSystem, source: unescaped(source) });
  }
  return mounts;
}
