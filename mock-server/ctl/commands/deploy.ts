import { printable } from "@upkeep/shared/text";
import type { Api } from "../api.ts";
import type { Ctl } from "../context.ts";
import { parseDuration } from "../durations.ts";
import { CtlError, EXIT, type ExitCode, usage } from "../failure.ts";
import { follow } from "../follow.ts";
import { parsePhases } from "../phases.ts";
import { type PreviewBody, previewOf, printPreview } from "../preview.ts";
import { type TargetOptions, type Targets, targetsOf, targetsText } from "../targets.ts";
import { uploadSingleFile } from "../upload.ts";
import { fileToUpload, UploadBar } from "./releases-upload.ts";

interface DeployOptions extends TargetOptions {
  readonly release: string;
  readonly file?: string;
  readonly dest?: string;
  readonly deviceType?: readonly string[];
  readonly name?: string;
  readonly phases?: string;
  readonly successThreshold?: number;
  readonly errorThreshold?: number;
  readonly retries?: number;
  readonly silentAfter?: string;
  readonly force?: boolean;
  readonly maxDevices?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
}

/** Shows what a deployment would do, asks, creates it, and waits for it. */
export async function deploy(options: DeployOptions, ctl: Ctl): Promise<ExitCode> {
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration("timeout", options.timeout);
  if (timeoutMs !== undefined && options.wait !== true) throw usage("--timeout needs --wait");
  const rollout = rolloutOf(options, ctl.system.clock.now());
  const api = await ctl.api();
  const targets = await targetsOf(api, options);
  if (options.maxDevices !== undefined && targets.kind !== "filter") throw usage("--max-devices needs a saved filter");
  await makeRelease(options, api, ctl);
  const preview = await previewOf(api, { ...rollout, ...meant(targets) });
  const isDry = options.dryRun === true;
  if (preview === undefined && isDry)
    throw new CtlError(`${api.server} does not offer this: it has no preview of deployments`);
  if (ctl.json) {
    if (isDry) ctl.printJson(preview);
  } else {
    ctl.print(ctl.colours.bold(`${printable(options.release)} to ${printable(targetsText(targets))}`));
    if (preview === undefined) ctl.say("This server cannot say beforehand who would get what.");
    else printPreview(ctl, preview);
  }
  if (isDry) return EXIT.ok;
  if (!(await ctl.confirmed("Deploy?", options.yes))) return EXIT.error;
  const { made: id, warning } = await created(api, targets, rollout);
  if (warning !== undefined) ctl.say(`Warning: ${warning}`);
  if (options.wait === true) {
    ctl.say(`Deployment ${id} is created.`);
    return await follow(id, { api, ctl, timeoutMs });
  }
  if (ctl.json) ctl.printJson({ id });
  else ctl.print(`Deployment ${id} is created.`);
  return EXIT.ok;
}

/** With --file: makes the release, of one file, before it is deployed. */
async function makeRelease(options: DeployOptions, api: Api, ctl: Ctl): Promise<void> {
  const { release, file: path, dest, deviceType = [], dryRun } = options;
  const deviceTypes = deviceType.flatMap((word) => word.split(",")).filter((word) => word !== "");
  if (path === undefined) {
    if (dest !== undefined || deviceTypes.length > 0) throw usage("--dest and --device-type need --file");
    return;
  }
  if (dest === undefined || deviceTypes.length === 0) throw usage("--file needs --dest and --device-type");
  if (!dest.startsWith("/")) throw usage(`--dest ${JSON.stringify(dest)}: must be an absolute directory of the device`);
  if (dryRun === true) throw usage("--dry-run cannot make the release of --file");
  const file = await fileToUpload(ctl, path);
  const bar = new UploadBar(ctl, file);
  await uploadSingleFile(
    file,
    { release, directory: dest, deviceTypes },
    {
      system: ctl.system,
      api,
      onProgress: (sentBytes) => bar.show(sentBytes),
      onRetry: (reason) => bar.retry(reason),
    },
  ).finally(() => bar.end());
  ctl.say(`Release ${printable(release)} is made of ${printable(file.name)}, for ${printable(dest)} on devices.`);
}

/** A deployment without its targets. */
type RolloutBody = Omit<PreviewBody, "devices" | "all_devices" | "group" | "filter_id">;

function rolloutOf(
  { release, name, phases, successThreshold, errorThreshold, retries, silentAfter, force, maxDevices }: DeployOptions,
  nowMs: number,
): RolloutBody & { readonly name: string; readonly artifact_name: string } {
  const thresholds = { success: successThreshold, error: errorThreshold };
  const hasThresholds = successThreshold !== undefined || errorThreshold !== undefined;
  const planned = phases ?? (hasThresholds ? "rest" : undefined);
  return {
    name: name ?? release,
    artifact_name: release,
    ...(planned === undefined ? {} : { phases: [...parsePhases(planned, nowMs, thresholds)] }),
    ...(retries === undefined ? {} : { retries }),
    ...(silentAfter === undefined ? {} : { silent_after: parseDuration("silent-after", silentAfter) / 1000 }),
    ...(force === true ? { force_installation: true } : {}),
    ...(maxDevices === undefined ? {} : { max_devices: maxDevices }),
  };
}

/** The targets as the preview takes them. */
function meant(targets: Targets): Pick<PreviewBody, "devices" | "all_devices" | "group" | "filter_id"> {
  switch (targets.kind) {
    case "all":
      return { all_devices: true };
    case "group":
      return { group: targets.name };
    case "filter":
      return { filter_id: targets.id };
    case "devices":
      return { devices: [...targets.ids] };
  }
}

async function created(api: Api, targets: Targets, rollout: ReturnType<typeof rolloutOf>) {
  const { max_devices: max, ...common } = rollout;
  switch (targets.kind) {
    case "group":
      return await api.call("post", "/api/management/v1/deployments/deployments/group/{name}", {
        params: { name: targets.name },
        body: common,
      });
    case "filter":
      return await api.call("post", "/api/management/v2/deployments/deployments", {
        body: { ...common, filter_id: targets.id, ...(max === undefined ? {} : { max_devices: max }) },
      });
    default:
      return await api.call("post", "/api/management/v1/deployments/deployments", {
        body: { ...common, ...meant(targets) },
      });
  }
}
