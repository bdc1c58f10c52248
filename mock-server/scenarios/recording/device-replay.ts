import { createHash } from "node:crypto";
import { given } from "@upkeep/shared/given";
import { DEVICE_PATHS, DeploymentInstructions, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import {
  collectBody,
  type HttpMethod,
  type HttpResponse,
  isSystemError,
  type System,
  type TlsOptions,
} from "@upkeep/shared/system";
import type { DeviceKey } from "upkeep/index.ts";
import { SeededKey } from "../seeded-key.ts";
import { type ExchangeKind, exchangeKind } from "../wire/kinds.ts";
import { type Difference, firstDifference, shown } from "./difference.ts";
import type { RecordedBytes, RecordedLine, Recording } from "./format.ts";

const IDLE_MS = 60_000;
const TEXT_BYTES_MAX = 4 * 1024 * 1024;
/** Pause before an exchange that differs is repeated, as long as patience lasts. */
const RETRY_PAUSE_MS = 200;

/** The actions of operators that a recorded session shows. */
export interface Operators {
  /** Accepts the device with this key. */
  accept(device: ReplayedDevice): Promise<void>;
  /** Rejects the device. */
  reject(device: ReplayedDevice): Promise<void>;
  /** Deploys this release to the device. @returns The deployment's id. */
  deploy(device: ReplayedDevice, release: string, artifact: RecordedBytes | undefined): Promise<string>;
  /** Aborts the deployment with this server's id. */
  abort(deployment: string): Promise<void>;
}

/** A device of the recording, with its own key. */
export interface ReplayedDevice {
  /** Name in the recording. */
  readonly name: string;
  readonly identity: string;
  readonly key: DeviceKey;
}

export interface DeviceReplayOptions {
  /** Without a slash at the end. */
  readonly server: string;
  readonly tls: TlsOptions;
  /** Absent: the server's operators repeat the recorded actions themselves. */
  readonly operators: Operators | undefined;
  /** Time in which a differing exchange is repeated. */
  readonly patienceMs: number;
  /** Replaces `<tenant token>`. */
  readonly tenantToken: string;
}

/** An answer in the form that is compared. */
interface ActualAnswer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: RecordedBytes;
}

interface State {
  readonly device: ReplayedDevice;
  token: string | undefined;
  accepted: boolean;
}

export interface ReplayResult {
  readonly exchanges: number;
  readonly devices: number;
  readonly difference: Difference | undefined;
}

/** Fields of answers that differ on every run, or that devices ignore. */
const INCOMPARABLE = new Set([
  "json.request_id",
  "json.error",
  "json.metadata",
  "json.artifact.source",
  "json.artifact.id",
]);

/** Replays the requests of recorded devices against a server, and compares the answers. */
export class DeviceReplay {
  readonly #system: Pick<System, "network" | "timers" | "clock" | "random">;
  readonly #options: DeviceReplayOptions;
  readonly #recording: Recording;
  readonly #states = new Map<string, State>();
  /** This server's deployment ids, by the ids in the recording. */
  readonly #deployments = new Map<string, string>();
  /** This server's links, by their names in the recording. */
  readonly #links = new Map<string, string>();
  readonly #seed: string;

  constructor(
    system: Pick<System, "network" | "timers" | "clock" | "random">,
    recording: Recording,
    options: DeviceReplayOptions,
  ) {
    this.#system = system;
    this.#recording = recording;
    this.#options = options;
    this.#seed = system.random.uuid();
  }

  /** @throws SystemError if the server cannot be reached; errors of the operators are passed on. */
  async play(): Promise<ReplayResult> {
    let exchanges = 0;
    for (const line of this.#recording.exchanges) {
      if (line.answer.broken) continue;
      const difference = await this.#exchange(line);
      exchanges++;
      if (difference !== undefined) return { exchanges, devices: this.#states.size, difference };
    }
    return { exchanges, devices: this.#states.size, difference: undefined };
  }

  async #exchange(line: RecordedLine): Promise<Difference | undefined> {
    const kind = exchangeKind(line.request.path.startsWith("<") ? "/" : line.request.path);
    const state = this.#stateOf(line.device);
    // A login that the recording lacks is done, but not compared.
    if (kind !== "auth" && kind !== "download" && state.token === undefined && line.answer.status !== 401) {
      await this.#admit(state, true);
      await this.#logIn(state);
    }
    await this.#operate(line, kind, state);
    const deadline = this.#system.clock.monotonic() + this.#options.patienceMs;
    for (;;) {
      const actual = await this.#ask(line, kind, state);
      const found = this.#compare(line, kind, state, actual);
      if (found === undefined || !mayStillChange(line, kind, actual) || this.#system.clock.monotonic() >= deadline)
        return found;
      await this.#system.timers.sleep(RETRY_PAUSE_MS);
    }
  }

  #stateOf(name: string): State {
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    const identity = this.#identityOf(name);
    const state = {
      device: { name, identity, key: new SeededKey(`upkeep virtual device ${this.#seed}/${name}`) },
      token: undefined,
      accepted: false,
    };
    this.#states.set(name, state);
    return state;
  }

  #identityOf(name: string): string {
    for (const { device, request } of this.#recording.exchanges) {
      if (device !== name || typeof request.json !== "object" || request.json === null) continue;
      if ("id_data" in request.json && typeof request.json.id_data === "string") return request.json.id_data;
    }
    return JSON.stringify({ recorded: name });
  }

  /** Repeats the operators' actions that the exchange presupposes. */
  async #operate(line: RecordedLine, kind: ExchangeKind, state: State): Promise<void> {
    const { operators } = this.#options;
    const { status } = line.answer;
    if (kind === "auth") {
      if (status === 200 && !state.accepted) await this.#admit(state, true);
      else if (status === 401 && state.accepted) await this.#admit(state, false);
    } else if (kind !== "download" && status === 401 && state.accepted) {
      await this.#admit(state, false);
    }
    if (operators === undefined) return;
    const instructions =
      kind === "poll" && status === 200 ? DeploymentInstructions.safeParse(line.answer.json) : undefined;
    if (instructions?.success === true && !this.#deployments.has(instructions.data.id)) {
      const { id, artifact } = instructions.data;
      const release = artifact.artifact_name ?? "";
      this.#deployments.set(id, await operators.deploy(state.device, release, this.#downloadOf(artifact.source.uri)));
    }
    const deployment = /\/deployments\/([^/]+)\/status$/.exec(line.request.path)?.[1];
    if (kind === "status" && status === 409 && deployment !== undefined) {
      await operators.abort(this.#deployments.get(deployment) ?? deployment);
    }
  }

  async #admit(state: State, accepted: boolean): Promise<void> {
    const { operators } = this.#options;
    state.accepted = accepted;
    if (accepted) await operators?.accept(state.device);
    else await operators?.reject(state.device);
  }

  /** The artifact of a link, if the recording has all of it. */
  #downloadOf(link: string): RecordedBytes | undefined {
    return this.#recording.exchanges.find(({ request, answer }) => request.path === link && answer.status === 200)
      ?.answer.bytes;
  }

  async #logIn(state: State): Promise<void> {
    const { identity, key } = state.device;
    const body = JSON.stringify({ id_data: identity, pubkey: key.publicPem, tenant_token: this.#options.tenantToken });
    const { status, text } = await this.#send("POST", DEVICE_PATHS.authRequests, {
      headers: { "content-type": "application/json", [SIGNATURE_HEADER]: await key.sign(Buffer.from(body)) },
      body,
    });
    if (status === 200) state.token = text?.trim();
  }

  async #ask({ request }: RecordedLine, kind: ExchangeKind, state: State): Promise<ActualAnswer> {
    const method = request.method as HttpMethod;
    const link = this.#links.get(request.path);
    if (link !== undefined) return await this.#send(method, link, { headers: request.headers }, true);
    const { key } = state.device;
    const json =
      kind === "auth" && typeof request.json === "object" && request.json !== null
        ? {
            ...request.json,
            pubkey: key.publicPem,
            ...("tenant_token" in request.json ? { tenant_token: this.#options.tenantToken } : {}),
          }
        : request.json;
    const body = json === undefined ? request.text : JSON.stringify(json);
    const headers =
      kind === "auth"
        ? { ...request.headers, [SIGNATURE_HEADER]: await key.sign(Buffer.from(body ?? "")) }
        : { ...request.headers, authorization: `Bearer ${state.token ?? "none"}` };
    const path = request.path.replace(/\/deployments\/([^/]+)\/(status|log|update_control_map)$/, (all, id: string) =>
      all.replace(id, this.#deployments.get(id) ?? id),
    );
    return await this.#send(method, path, { headers, ...given({ body }) });
  }

  async #send(
    method: HttpMethod,
    target: string,
    more: { readonly headers: Readonly<Record<string, string>>; readonly body?: string },
    isDownload = false,
  ): Promise<ActualAnswer> {
    const { server, tls } = this.#options;
    const url = /^https?:/.test(target) ? target : server + target;
    const answer = await this.#system.network.request({ method, url, tls, idleTimeoutMs: IDLE_MS, ...more });
    if (isDownload && answer.status < 300) return { status: answer.status, bytes: await bytesOf(answer) };
    const text = (await collectBody(answer.body, TEXT_BYTES_MAX)).toString("utf8");
    if (text === "") return { status: answer.status };
    const json = jsonIn(text);
    return json === undefined ? { status: answer.status, text } : { status: answer.status, json };
  }

  #compare(line: RecordedLine, kind: ExchangeKind, state: State, actual: ActualAnswer): Difference | undefined {
    const { answer, request } = line;
    const at = { line: line.line, exchange: `${line.device}, ${request.method} ${request.path}` };
    if (answer.status !== actual.status) {
      const text = actual.json === undefined ? actual.text : actual.json;
      return {
        ...at,
        where: "status",
        expected: String(answer.status),
        got: `${actual.status}${text === undefined ? "" : ` ${shown(text)}`}`,
      };
    }
    if (kind === "auth" && actual.status === 200) state.token = (actual.text ?? "").trim();
    if (answer.bytes !== undefined) {
      const found = firstDifference(answer.bytes, actual.bytes, undefined, "bytes");
      return found === undefined ? undefined : { ...at, ...found };
    }
    // A device looks only at the status of a refusal.
    if (answer.status >= 400 || answer.json === undefined) return undefined;
    const found = firstDifference(answer.json, actual.json, (path, expected, got) => this.#isSame(path, expected, got));
    if (found !== undefined) return { ...at, ...found };
    this.#learn(answer.json, actual.json);
    return undefined;
  }

  #isSame(path: string, expected: unknown, got: unknown): boolean {
    if (INCOMPARABLE.has(path)) return true;
    // Each server has its own deployment ids: the first offer maps the recorded id to this server's.
    if (path !== "json.id" || typeof expected !== "string") return false;
    return got === (this.#deployments.get(expected) ?? got);
  }

  /** Maps the recording's ids and links to this server's, for the later exchanges. */
  #learn(expected: unknown, got: unknown): void {
    const [recorded, real] = [DeploymentInstructions.safeParse(expected), DeploymentInstructions.safeParse(got)];
    if (!recorded.success || !real.success) return;
    this.#deployments.set(recorded.data.id, real.data.id);
    this.#links.set(recorded.data.artifact.source.uri, real.data.artifact.source.uri);
  }
}

/** True if an operator's action or time may still change the answer: acceptance, or an offered deployment. */
function mayStillChange({ answer }: RecordedLine, kind: ExchangeKind, actual: ActualAnswer): boolean {
  if (kind === "auth") return answer.status === 200 && actual.status === 401;
  return kind === "poll" && answer.status === 200 && actual.status === 204;
}

async function bytesOf(answer: HttpResponse): Promise<RecordedBytes> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of answer.body) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    // A truncated body: the size shows it.
    if (!isSystemError(error, "ECONNRESET")) throw error;
  }
  return { size, sha256: hash.digest("hex") };
}

function jsonIn(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
