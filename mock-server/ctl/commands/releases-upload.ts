import { absolutePath } from "../../system/environment.ts";
import type { Api } from "../api.ts";
import { ApiError } from "../api.ts";
import type { Ctl } from "../context.ts";
import { CtlError } from "../failure.ts";
import { LiveArea } from "../output/live.ts";
import { shortened } from "../output/table.ts";
import { sizeText } from "../output/texts.ts";
import { type ArtifactFile, upload } from "../upload.ts";

interface UploadOptions {
  readonly file: readonly string[];
  readonly description?: string;
}

/** Least time between two drawings, in milliseconds. */
const DRAW_EVERY_MS = 100;

/** Uploads artifacts, one after the other. */
export async function releasesUpload({ file: paths, description }: UploadOptions, ctl: Ctl): Promise<undefined> {
  const files = await Promise.all(paths.map((path) => fileToUpload(ctl, path)));
  const api = await ctl.api();
  const done: object[] = [];
  for (const file of files) {
    const bar = new UploadBar(ctl, file);
    const { id, isChecked } = await upload(file, description, {
      system: ctl.system,
      api,
      onProgress: (sentBytes) => bar.show(sentBytes),
      onRetry: (reason) => bar.retry(reason),
    }).finally(() => bar.end());
    const release = await releaseOf(api, id);
    done.push({ file: file.path, id, ...(release === undefined ? {} : { release }), size: file.sizeBytes });
    if (!ctl.json) ctl.print(`${release ?? file.name}  ${id}`);
    if (!isChecked) ctl.say(`${file.name} is uploaded; the server has not said yet that it takes it.`);
  }
  if (ctl.json) ctl.printJson(done);
}

/** @throws CtlError if it cannot be uploaded */
export async function fileToUpload({ system }: Ctl, path: string): Promise<ArtifactFile> {
  const absolute = absolutePath(path);
  const status = await system.files.status(absolute);
  if (status === undefined) throw new CtlError(`${path}: there is no such file`);
  if (status.kind !== "file") throw new CtlError(`${path}: is no file`);
  return { path: absolute, name: absolute.slice(absolute.lastIndexOf("/") + 1), sizeBytes: status.sizeBytes };
}

/** Its name, as far as this user may see it. */
async function releaseOf(api: Api, id: string): Promise<string | undefined> {
  try {
    return (await api.call("get", "/api/management/v1/deployments/artifacts/{id}", { params: { id } })).data.name;
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

/** How far an upload is, on a terminal. */
export class UploadBar {
  readonly #ctl: Ctl;
  readonly #file: ArtifactFile;
  readonly #area = new LiveArea();
  #begunMs: number;
  #drawnMs = 0;

  constructor(ctl: Ctl, file: ArtifactFile) {
    this.#ctl = ctl;
    this.#file = file;
    this.#begunMs = ctl.system.clock.monotonic();
  }

  show(sentBytes: number): void {
    if (!this.#ctl.isLive) return;
    const nowMs = this.#ctl.system.clock.monotonic();
    if (sentBytes === 0) this.#begunMs = nowMs;
    else if (nowMs - this.#drawnMs < DRAW_EVERY_MS && sentBytes < this.#file.sizeBytes) return;
    this.#drawnMs = nowMs;
    this.#area.draw([this.#line(sentBytes, nowMs - this.#begunMs)]);
  }

  #line(sentBytes: number, tookMs: number): string {
    const { name, sizeBytes } = this.#file;
    const share = sizeBytes === 0 ? 1 : sentBytes / sizeBytes;
    const speed = tookMs > 0 ? `, ${sizeText((sentBytes * 1000) / tookMs)}/s` : "";
    const numbers =
      share < 1
        ? `${Math.floor(share * 100)} %, ${sizeText(sentBytes)} of ${sizeText(sizeBytes)}${speed}`
        : `${sizeText(sizeBytes)}, the server checks it`;
    const width = Math.min(this.#area.columns - 1 - numbers.length - 2, 60);
    const label = shortened(name, Math.max(Math.floor(width / 2), 8));
    const bar = Math.max(width - label.length - 1, 4);
    const filled = Math.round(share * bar);
    return `${label} ${"█".repeat(filled)}${"░".repeat(bar - filled)}  ${numbers}`;
  }

  retry(reason: string): void {
    this.end();
    this.#ctl.say(`${this.#file.name}: ${reason}; it is sent again`);
  }

  end(): void {
    if (this.#ctl.isLive) this.#area.clear();
  }
}
