import type { Ctl } from "../context.ts";
import { agoText, sizeText } from "../output/texts.ts";
import { allReleases } from "../releases.ts";

/** Lists releases. */
export async function releasesList(_: object, ctl: Ctl): Promise<undefined> {
  const releases = await allReleases(await ctl.api());
  const nowMs = ctl.system.clock.now();
  ctl.printTable(
    releases,
    [
      { title: "RELEASE", text: ({ name }) => name, least: 10 },
      { title: "FOR", text: ({ types }) => types.join(", "), least: 8 },
      { title: "ARTIFACTS", text: ({ artifacts }) => String(artifacts.length), right: true },
      {
        title: "SIZE",
        text: ({ artifacts }) => artifacts.map(({ size }) => sizeText(size)).join(", "),
        least: 8,
        right: true,
      },
      { title: "TAGS", text: ({ tags }) => tags.join(", "), least: 6 },
      { title: "CHANGED", text: ({ modified }) => agoText(modified, nowMs) },
    ],
    "There are no releases; 'upkeepctl releases upload FILE' brings one.",
  );
}
