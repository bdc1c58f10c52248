import type { Ctl } from "../context.ts";
import { type Deployment, findDeployment, progressBar, progressOf, progressText, stateOf } from "../deployments.ts";
import { filterText } from "../filter.ts";
import { statusColoured } from "../output/colours.ts";
import { counted, sizeText, timeText } from "../output/texts.ts";
import { failuresOf } from "../reasons.ts";

const BAR = 60;

/** Shows a deployment. */
export async function deploymentsShow(
  { deployment: word }: { readonly deployment: string },
  ctl: Ctl,
): Promise<undefined> {
  const api = await ctl.api();
  const deployment = await findDeployment(api, word);
  const failures = await failuresOf(api, deployment);
  if (ctl.json) {
    ctl.printJson({ ...deployment, failures });
    return;
  }
  const { paused, phases = [], statistics } = deployment;
  const progress = progressOf(deployment);
  ctl.printPairs([
    ["id", deployment.id],
    ["name", deployment.name],
    ["release", deployment.artifact_name],
    ["state", stateOf(deployment)],
    ["paused because", paused?.reason],
    ["for", targetsText(deployment)],
    ["created", timeText(deployment.created)],
    ["finished", timeText(deployment.finished)],
    ["retries", deployment.retries === undefined ? undefined : String(deployment.retries)],
    ["retry of", deployment.retry_of],
    ["progress", progressText(progress)],
    ["downloads", downloadsText(statistics?.downloads)],
  ]);
  ctl.print(progressBar(progress, Math.min(ctl.columns ?? BAR, BAR), ctl.colours));
  const counts = Object.entries(statistics?.status ?? {}).filter(([, count]) => count > 0);
  if (counts.length > 0) {
    ctl.print("");
    ctl.print(
      ctl.tableOf(counts, [
        { title: "DEVICES", text: ([, count]) => String(count), right: true },
        {
          title: "STATUS",
          text: ([status]) => status,
          paint: (text, [status], colours) => statusColoured(text, status, colours),
        },
      ]),
    );
  }
  if (phases.length > 0) {
    ctl.print("");
    ctl.print(
      ctl.tableOf(
        phases.map((phase, index) => ({ ...phase, number: index + 1 })),
        [
          { title: "PHASE", text: ({ number }) => String(number), right: true },
          { title: "SHARE", text: ({ batch_size: percent }) => `${percent} %`, right: true },
          { title: "DEVICES", text: ({ device_count: count, places }) => `${count} of ${places ?? "?"}`, right: true },
          { title: "STATE", text: ({ state }) => state ?? "" },
          { title: "BEGINS", text: ({ start_ts: start }) => timeText(start) ?? "" },
        ],
      ),
    );
  }
  if (failures.length > 0) {
    ctl.print("");
    ctl.print(
      ctl.tableOf(failures, [
        { title: "FAILED", text: ({ count }) => String(count), right: true },
        { title: "REASON", text: ({ reason }) => reason, least: 12 },
      ]),
    );
  }
}

/** What downloads cost, where devices told. */
function downloadsText(downloads: NonNullable<Deployment["statistics"]>["downloads"]): string | undefined {
  if (downloads === undefined) return undefined;
  const { needed, fetched, devices } = downloads;
  return `${sizeText(fetched)} of ${sizeText(needed)} fetched, by ${counted(devices, "device")}`;
}

function targetsText({ groups, dynamic, filter, max_devices: max }: Deployment): string {
  if (groups !== undefined && groups.length > 0) return `group ${groups.join(", ")}`;
  if (dynamic) return `filter ${filter?.name ?? ""} (${filterText(filter?.terms ?? [])})`;
  if (filter !== undefined) return "all accepted devices";
  return counted(max ?? 0, "device");
}
