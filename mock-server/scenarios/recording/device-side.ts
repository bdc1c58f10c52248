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
/** Pause between two tries of what is to become as it was, while there is patience. */
const AGAIN_MS = 200;

/** What people did while a session was recorded, as far as it is seen in it. */
export interface Operators {
  /** The device is to be let in, with this key. */
  accept(device: PlayedDevice): Promise<void>;
  /** The device is not to be let in any more. */
  reject(device: PlayedDevice): Promise<void>;
  /** The device is to be offered a deployment of this release. @returns Its id. */
  deploy(device: PlayedDevice, release: string, artifact: RecordedBytes | undefined): Promise<string>;
  /** The deployment, as this server knows it, is to be ended. */
  abort(deployment: string): Promise<void>;
}

/** A device of the recording, with a key of its own. */
export interface PlayedDevice {
  /** As the recording calls it. */
  readonly name: string;
  readonly identity: string;
  readonly key: DeviceKey;
}

export interface DeviceSideOptions {
  /** Without a slash at the end. */
  readonly server: string;
  readonly tls: TlsOptions;
  /** Absent: the operators of the server must do the same by themselves. */
  readonly operators: Operators | undefined;
  /** How long something that is not (yet) as it was is tried again. */
  readonly patienceMs: number;
  /** In place of `<tenant token>`. */
  readonly tenantToken: string;
}

/** An answer, as it is compared. */
interface Came {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly bytes?: RecordedBytes;
}

interface State {
  readonly device: PlayedDevice;
  token: string | undefined;
  accepted: boolean;
}

export interface Played {
  readonly exchanges: number;
  readonly devices: number;
  readonly difference: Difference | undefined;
}

/** Fields of answers that are never the same twice, or say nothing to a device. */
const INCOMPARABLE = new Set([
  "json.request_id",
  "json.error",
  "json.metadata",
  "json.artifact.source",
  "json.artifact.id",
]);

/** Plays what the devices of a recording said against a server, and compares what it answers. */
export class DeviceSide {
  readonly #system: Pick<System, "network" | "timers" | "clock" | "random">;
  readonly #options: DeviceSideOptions;
  readonly #recording: Recording;
  readonly #states = new Map<string, State>();
  /** Deployments by their ids in the recording. */
  readonly #deployments = new Map<string, string>();
  /** Links by their names in the recording. */
  readonly #links = new Map<string, string>();
  readonly #seed: string;

  constructor(
    system: Pick<System, "network" | "timers" | "clock" | "random">,
    recording: Recording,
    options: DeviceSideOptions,
  ) {
    this.#system = system;
    this.#recording = recording;
    this.#options = options;
    this.#seed = system.random.uuid();
  }

  /** @throws SystemError if the server cannot be reached; whatever the operators throw. */
  async play(): Promise<Played> {
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
    // A device whose log in is not in the recording has one that is not compared.
    if (kind !== "auth" && kind !== "download" && state.token === undefined && line.answer.status !== 401) {
      await this.#admit(state, true);
      await this.#logIn(state);
    }
    await this.#operate(line, kind, state);
    const deadline = this.#system.clock.monotonic() + this.#options.patienceMs;
    for (;;) {
      const came = await this.#ask(line, kind, state);
      const found = this.#compare(line, kind, state, came);
      if (found === undefined || !mayBecome(line, kind, came) || this.#system.clock.monotonic() >= deadline)
        return found;
      await this.#system.timers.sleep(AGAIN_MS);
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

  /** What people must have done before an exchange went as it did. */
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

  /** What came over a link, if the recording has all of it. */
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

  async #ask({ request }: RecordedLine, kind: ExchangeKind, state: State): Promise<Came> {
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
  ): Promise<Came> {
    const { server, tls } = this.#options;
    const url = /^https?:/.test(target) ? target : server + target;
    const answer = await this.#system.network.request({ method, url, tls, idleTimeoutMs: IDLE_MS, ...more });
    if (isDownload && answer.status < 300) return { status: answer.status, bytes: await bytesOf(answer) };
    const text = (await collectBody(answer.body, TEXT_BYTES_MAX)).toString("utf8");
    if (text === "") return { status: answer.status };
    const json = jsonIn(text);
    return json === undefined ? { status: answer.status, text } : { status: answer.status, json };
  }

  #compare(line: RecordedLine, kind: ExchangeKind, state: State, came: Came): Difference | undefined {
    const { answer, request } = line;
    const at = { line: line.line, exchange: `${line.device}, ${request.method} ${request.path}` };
    if (answer.status !== came.status) {
      const text = came.json === undefined ? came.text : came.json;
      return {
        ...at,
        where: "status",
        expected: String(answer.status),
        got: `${came.status}${text === undefined ? "" : ` ${shown(text)}`}`,
      };
    }
    if (kind === "auth" && came.status === 200) state.token = (came.text ?? "").trim();
    if (answer.bytes !== undefined) {
      const found = firstDifference(answer.bytes, came.bytes, undefined, "bytes");
      return found === undefined ? undefined : { ...at, ...found };
    }
    // Of a refusal the status is all that a device goes by.
    if (answer.status >= 400 || answer.json === undefined) return undefined;
    const found = firstDifference(answer.json, came.json, (path, expected, got) => this.#isSame(path, expected, got));
    if (found !== undefined) return { ...at, ...found };
    this.#learn(answer.json, came.json);
    return undefined;
  }

  #isSame(path: string, expected: unknown, got: unknown): boolean {
    if (INCOMPARABLE.has(path)) return true;
    // A deployment has another id on every server; which one is settled by the first offer.
    if (path !== "json.id" || typeof expected !== "string") return false;
    return got === (this.#deployments.get(expected) ?? got);
  }

  /** What the later exchanges of the recording are about, on this server. */
  #learn(expected: unknown, got: unknown): void {
    const [recorded, real] = [DeploymentInstructions.safeParse(expected), DeploymentInstructions.safeParse(got)];
    if (!recorded.success || !real.success) return;
    this.#deployments.set(recorded.data.id, real.data.id);
    this.#links.set(recorded.data.artifact.source.uri, real.data.artifact.source.uri);
  }
}

/** Something that people, or time, may still bring about: being let in, and being offered a deployment. */
function mayBecome({ answer }: RecordedLine, kind: ExchangeKind, came: Came): boolean {
  if (kind === "auth") return answer.status === 200 && came.status === 401;
  return kind === "poll" && answer.status === 200 && came.status === 204;
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
    // Less than was announced: the size tells.
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
