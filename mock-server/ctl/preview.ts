import type { BodyOf, Operation, ResultOf } from "../api-types/operations.ts";
import { type Api, LacksOperation } from "./api.ts";
import type { Ctl } from "./context.ts";
import { counted, shortIds, sizeText, timeText } from "./output/texts.ts";

const PATH = "/api/management/v1/deployments/deployments/preview";

type PreviewOperation = Operation<"post", typeof PATH>;
/** A deployment before it is created, with any kind of targets. */
export type PreviewBody = BodyOf<PreviewOperation>;
export type Preview = ResultOf<PreviewOperation>;
type Outcome = Preview["outcomes"][number];

/** What the server would do; `undefined` if it cannot say. */
export async function previewOf(api: Api, body: PreviewBody): Promise<Preview | undefined> {
  try {
    return (await api.call("post", PATH, { body })).data;
  } catch (error) {
    if (error instanceof LacksOperation) return undefined;
    throw error;
  }
}

const LEFT_OUT: Readonly<Record<Outcome["outcome"], string>> = {
  artifact: "",
  "already-installed": "installed already",
  "no-artifact": "no artifact of the release fits",
  "unknown-device-type": "device type not known yet",
  "older-deployment": "an older deployment comes first",
  "not-accepted": "not accepted",
};

/** Prints whom a deployment means, what they get, and who is left out and why. */
export function printPreview(ctl: Ctl, { target_count: targets, outcomes, phases }: Preview): void {
  const gets = outcomes.filter(({ outcome }) => outcome === "artifact");
  const others = outcomes.filter(({ outcome }) => outcome !== "artifact");
  const short = shortIds(outcomes.flatMap(({ devices }) => devices));
  const getting = gets.reduce((sum, { count }) => sum + count, 0);
  const { bold, green, yellow } = ctl.colours;
  const samples = { title: "SUCH AS", text: ({ devices }: Outcome) => devices.map(short).join(", "), least: 8 };
  ctl.print(
    `${counted(targets, "device")} ${targets === 1 ? "is" : "are"} meant; ${green(`${getting} ${getting === 1 ? "gets" : "get"} it now`)}.`,
  );
  if (gets.length > 0) {
    ctl.print(
      ctl.tableOf(gets, [
        { title: "DEVICES", text: ({ count }) => String(count), right: true },
        { title: "TYPE", text: ({ device_type: type }) => type ?? "", least: 8 },
        { title: "ARTIFACT", text: ({ artifact }) => (artifact === undefined ? "" : artifact.id.slice(0, 8)) },
        { title: "SIZE", text: ({ artifact }) => (artifact === undefined ? "" : sizeText(artifact.size)), right: true },
        samples,
      ]),
    );
  }
  if (others.length > 0) {
    ctl.print("");
    ctl.print(yellow("Left out:"));
    ctl.print(
      ctl.tableOf(others, [
        { title: "DEVICES", text: ({ count }) => String(count), right: true },
        { title: "WHY", text: reasonOf, least: 12 },
        samples,
      ]),
    );
  }
  if (phases.length === 0) return;
  ctl.print("");
  ctl.print(
    ctl.tableOf(
      phases.map((phase, index) => ({ ...phase, number: index + 1 })),
      [
        { title: "PHASE", text: ({ number }) => String(number), right: true, paint: (text) => bold(text) },
        { title: "SHARE", text: ({ batch_size: percent }) => `${percent} %`, right: true },
        { title: "DEVICES", text: ({ places }) => String(places), right: true },
        { title: "BEGINS", text: ({ start_ts: start }) => timeText(start) ?? "at once" },
      ],
    ),
  );
}

function reasonOf({ outcome, deployment_id: older, device_type: type }: Outcome): string {
  const more = older === undefined ? "" : ` (${older.slice(0, 8)})`;
  return `${LEFT_OUT[outcome]}${more}${outcome === "already-installed" && type !== undefined ? ` (${type})` : ""}`;
}
