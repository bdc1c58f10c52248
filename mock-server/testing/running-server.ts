import { TIME_HINT, timeMs } from "@upkeep/shared/protocol";
import { SystemError } from "@upkeep/shared/system";
import type { TestControls } from "../control/index.ts";
import type { Domain } from "../domain.ts";
import { invalid } from "../errors.ts";
import { Duration } from "../faults/language/quantities.ts";
import { artifactBytes } from "./artifact.ts";
import type * as face from "./face.ts";

const DEPLOYMENTS = "/api/management/v1/deployments";
const WAIT_MS = 10_000;
const PAGE = 500;

export interface RunningParts {
  readonly url: string;
  readonly administrator: face.Administrator;
  readonly controls: TestControls;
  readonly domain: Domain;
  readonly handle: (request: Request) => Promise<Response>;
  readonly stop: () => Promise<void>;
}

/** A server that runs inside a test. */
export class RunningTestServer implements face.TestServer {
  readonly url: string;
  readonly administrator: face.Administrator;
  readonly faults: face.Faults;
  readonly clock: face.TestClock;
  readonly requests: face.Requests;
  readonly snapshots: face.Snapshots;
  readonly #parts: RunningParts;
  #closed: Promise<void> | undefined;

  constructor(parts: RunningParts) {
    const { controls } = parts;
    this.#parts = parts;
    this.url = parts.url;
    this.administrator = parts.administrator;
    this.faults = controls.faults;
    this.clock = clockOf(controls);
    this.requests = requestsOf(controls);
    this.snapshots = {
      take: (name) => controls.takeSnapshot(name),
      restore: (name) => controls.restoreSnapshot(name),
      drop: (name) => controls.dropSnapshot(name),
      list: () => controls.snapshots,
    };
  }

  handle(request: Request): Promise<Response> {
    return this.#parts.handle(request);
  }

  async management(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.#ask(method, path, body);
    const text = await answer.text();
    return answer.headers.get("content-type")?.includes("json") === true ? JSON.parse(text) : text;
  }

  /** @throws Error unless the answer is 2xx. */
  async #ask(method: string, path: string, body?: unknown): Promise<Response> {
    const isForm = body instanceof FormData;
    const answer = await this.handle(
      new Request(this.url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.administrator.token}`,
          ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      }),
    );
    if (answer.ok) return answer;
    throw new Error(`${method} ${path}: the server answered ${answer.status}: ${await answer.text()}`);
  }

  async devices(): Promise<readonly face.TestDevice[]> {
    const found: face.TestDevice[] = [];
    for (let page = 1; ; page++) {
      const { items } = await this.#parts.domain.devices.list({}, { page, perPage: PAGE });
      found.push(...items.map(({ id, status, identityData }) => ({ id, status, identity: identityData })));
      if (items.length < PAGE) return found;
    }
  }

  acceptAll(): Promise<number> {
    return this.#parts.controls.acceptAll();
  }

  expireTokens(device?: string): Promise<number> {
    return this.#parts.controls.expireTokens(device);
  }

  makeArtifact(artifact: face.ArtifactSpec): Promise<Uint8Array> {
    return artifactBytes(artifact);
  }

  async uploadArtifact(artifact: face.ArtifactSpec | Uint8Array): Promise<string> {
    const bytes = artifact instanceof Uint8Array ? artifact : await artifactBytes(artifact);
    const form = new FormData();
    form.append("size", String(bytes.length));
    form.append("artifact", new Blob([new Uint8Array(bytes)]), "artifact.mender");
    return lastSegment(await this.#ask("POST", `${DEPLOYMENTS}/artifacts`, form));
  }

  async createDeployment({ release, name, devices, group, ...others }: face.DeploymentSpec): Promise<string> {
    const path = group === undefined ? "" : `/group/${encodeURIComponent(group)}`;
    const body = {
      name: name ?? `to ${release}`,
      artifact_name: release,
      ...(devices === undefined ? (group === undefined ? { all_devices: true } : {}) : { devices }),
      ...others,
    };
    return lastSegment(await this.#ask("POST", `${DEPLOYMENTS}/deployments${path}`, body));
  }

  async deploymentDevices(deployment: string): Promise<readonly face.DeploymentDevice[]> {
    return (await this.management(
      "GET",
      `${DEPLOYMENTS}/deployments/${deployment}/devices`,
    )) as readonly face.DeploymentDevice[];
  }

  reset(): Promise<void> {
    return this.#parts.controls.reset();
  }

  close(): Promise<void> {
    this.#closed ??= this.#parts.stop();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function lastSegment(answer: Response): string {
  return answer.headers.get("location")?.split("/").at(-1) ?? "";
}

function milliseconds(duration: number | string): number {
  if (typeof duration === "number") return duration;
  const parsed = Duration.safeParse(duration);
  if (parsed.success) return parsed.data;
  throw invalid(`${JSON.stringify(duration)} is no duration: milliseconds, or text such as "90s", "2h", "1h30m"`);
}

function instant(value: number | Date | string): number {
  const ms = typeof value === "string" ? timeMs(value) : Number(value);
  if (ms !== undefined && Number.isFinite(ms)) return ms;
  throw invalid(`${JSON.stringify(value)}: ${TIME_HINT}`);
}

function clockOf(controls: TestControls): face.TestClock {
  const { time } = controls;
  return {
    now: () => time.now(),
    get frozen() {
      return time.frozen;
    },
    freeze: () => time.freeze(),
    run: () => time.run(),
    advance: (duration) => controls.advance(milliseconds(duration)),
    set: (value) => time.set(instant(value)),
    reset: () => time.reset(),
  };
}

function requestsOf({ requests, time: { realTimers } }: TestControls): face.Requests {
  return {
    list: (filter) => requests.list(filter),
    forget: () => requests.forget(),
    waitFor: (matches, timeoutMs = WAIT_MS) =>
      new Promise((resolve, reject) => {
        const look = (): boolean => {
          const found = requests.list().find(matches);
          if (found !== undefined) resolve(found);
          return found !== undefined;
        };
        if (look()) return;
        const timer = realTimers.after(timeoutMs, () => {
          stop();
          reject(new SystemError("ETIMEDOUT", `no such request came within ${timeoutMs} ms; ${told(requests.list())}`));
        });
        const stop = requests.watch(() => {
          if (!look()) return;
          timer.cancel();
          stop();
        });
      }),
  };
}

function told(seen: readonly face.SeenRequest[]): string {
  if (seen.length === 0) return "none came";
  return `the last were ${seen
    .slice(-5)
    .map(({ kind, status, reported }) => [kind, reported, status].filter((part) => part !== undefined).join(" "))
    .join(", ")}`;
}
