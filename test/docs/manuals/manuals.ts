import { join } from "node:path";
import { type Manual, roff } from "./roff.ts";
import { UPKEEP } from "./upkeep.ts";
import { upkeepServer } from "./upkeep-server.ts";
import { UPKEEPCTL } from "./upkeepctl.ts";

const SYSTEMD = join(import.meta.dirname, "../../../systemd");

/** The pages of the manual that the Debian packages install: where each lies, and its text. */
export async function manuals(): Promise<ReadonlyMap<string, string>> {
  const pages: readonly (readonly [string, Manual])[] = [
    ["debian/upkeep.1", UPKEEP],
    ["server/upkeepctl.1", UPKEEPCTL],
    ["server/upkeep-server.1", await upkeepServer()],
  ];
  return new Map(pages.map(([path, manual]) => [join(SYSTEMD, path), roff(manual)]));
}
