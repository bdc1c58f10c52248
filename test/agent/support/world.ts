import { openArtifact } from "@upkeep/shared/artifact";
import type { ArtifactPlan } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import { type Logger, noopLogger } from "@upkeep/shared/logging";
import type {
  AdaptiveOffer,
  AdaptiveTransfer,
  DeploymentInstructions,
  LogMessage,
  ReportedStatus,
} from "@upkeep/shared/protocol";
import { type ProcessExit, type ProcessSpec, type RunningProcess, SystemError } from "@upkeep/shared/system";
import { openAdaptively } from "../../../agent/adaptive/index.ts";
import { AgentError } from "../../../agent/errors.ts";
import type { ArtifactRanges, DeploymentServer, ReportAnswer } from "../../../agent/server/deployment-server.ts";
import type { DeploymentResult } from "../../../agent/update/results.ts";
import { DeviceStore } from "../../../agent/update/store.ts";
import { type EngineOptions, UpdateEngine } from "../../../agent/update/update-engine.ts";
import { DEFAULT_UPDATE_SETTINGS, type UpdateSettings } from "../../../agent/update/update-settings.ts";
import { MemoryRanges, type Read, type Served, servedArtifact } from "../adaptive/support.ts";
import { artifactBytes, skippingSource, sourceFile } from "./artifacts.ts";
import { type Cut, type EndsAfter, Life, mortalFiles } from "./life.ts";
import { MemoryFiles } from "./memory-files.ts";
import { VirtualTime } from "./virtual-time.ts";

export const DEPLOYMENT: DeploymentInstructions = {
  id: "d-1",
  artifact: { source: { uri: "http://server/artifact" } },
};
export const DATASTORE = "/data";
export const STORE = `${DATASTORE}/upkeep-store.json`;
export const MODULES = "/modules";
export const TREE = `${DATASTORE}/modules/v3/payloads/0000/tree`;

/** How the update module and the state scripts of a world behave, by the name of the call or script. */
export interface Behaviour {
  /** Standard output. */
  readonly answers?: Readonly<Record<string, string>>;
  /** Exit codes other than 0: always, or how many times before it is 0. */
  readonly fails?: Readonly<Record<string, number | { readonly code: number; readonly times: number }>>;
  readonly hangs?: readonly string[];
  /** The machine reboots in the middle of the call. */
  readonly reboots?: readonly string[];
}

export interface WorldOptions {
  readonly behaviour?: Behaviour;
  readonly plan?: Partial<ArtifactPlan>;
  readonly bytes?: (bytes: Buffer) => Buffer;
  /** What the server answers to the n-th report of a status (from 1). */
  readonly answer?: (status: ReportedStatus, nth: number) => ReportAnswer | Error;
  readonly answerLog?: (nth: number) => "accepted" | "refused" | Error;
  /** What asking for the deployment again ends with, for the n-th time. */
  readonly offer?: (nth: number) => Error | undefined;
  /** The server offers the deployment once, and not again. */
  readonly withdrawn?: boolean;
  readonly login?: (nth: number) => Error | undefined;
  readonly settings?: Partial<UpdateSettings>;
  /** Of the chunks in which an artifact comes. */
  readonly pieceBytes?: number;
  /** Tries of a report that is insisted on. */
  readonly tries?: number;
  /** The server offers adaptive downloads of the artifact. */
  readonly adaptive?: {
    /** May replace what the server sends of a part; nth from 1, over all downloads. */
    readonly change?: (bytes: Buffer, read: Read, nth: number) => Buffer;
    /** Instead of the index of the artifact. */
    readonly offer?: (offer: AdaptiveOffer) => AdaptiveOffer;
  };
}

/** The plan of the artifact that worlds install, unless told otherwise. */
export const PLAN: ArtifactPlan = {
  kind: "module-image",
  type: "recorder",
  artifactName: "new",
  deviceTypes: ["board"],
  compression: "none",
  files: [sourceFile("payload", "the new software")],
};

/** A device, its server and everything that can go wrong, in memory and in virtual time. */
export class World {
  readonly files = new MemoryFiles();
  readonly time = new VirtualTime();
  /** What happened, in order: `> status`, `login`, `log`, module calls, scripts, `reboot`. */
  readonly trace: string[] = [];
  readonly logs: (readonly LogMessage[])[] = [];
  readonly states: string[] = [];
  /** Bytes received, of bytes in all. */
  readonly received: (readonly [number, number | undefined])[] = [];
  readonly logged: string[] = [];
  /** Bytes that came over the network, over all downloads. */
  fetchedBytes = 0;
  /** Parts that were fetched for adaptive downloads. */
  readonly reads: Read[] = [];
  /** What the reports say that the download cost, with their status. */
  readonly transfers: (readonly [ReportedStatus, AdaptiveTransfer | undefined])[] = [];
  /** How far each download was said to have come before. */
  readonly reached: number[] = [];
  /** What the module has put on the device. */
  software: "old" | "new" = "old";
  rebooted = false;
  /** Told the name of each call of the module, and of each script, when it begins. */
  onCall: (name: string) => void = () => undefined;
  readonly #options: WorldOptions;
  readonly #counts = new Map<string, number>();
  #bytes: Buffer | undefined;
  #serves: Served | undefined;
  #instructions = DEPLOYMENT;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.files.put(`${MODULES}/recorder`, "#!", 0o755);
    this.files.put(`${DATASTORE}/device_type`, "device_type=board\n");
  }

  get statuses(): string[] {
    return this.trace.flatMap((entry) => (entry.startsWith("> ") ? [entry.slice(2)] : []));
  }

  get calls(): string[] {
    return this.trace.filter((entry) => !entry.startsWith("> ") && entry !== "login" && entry !== "log");
  }

  /** Statuses that end a deployment, each once. */
  get finals(): string[] {
    return [...new Set(this.statuses.filter((status) => status === "success" || status === "failure"))];
  }

  get provides(): Readonly<Record<string, string>> {
    return JSON.parse(this.files.text(STORE) ?? "{}").provides ?? {};
  }

  /** True if the artifact brings nothing to install. */
  get isEmpty(): boolean {
    return this.#options.plan?.kind === "bootstrap";
  }

  async bytes(): Promise<Buffer> {
    this.#bytes ??= await artifactBytes({ ...PLAN, ...this.#options.plan } as ArtifactPlan);
    return this.#options.bytes?.(this.#bytes) ?? this.#bytes;
  }

  /** Start the program: a fresh engine on what is on the disk. */
  async start(life = new Life()): Promise<UpdateEngine> {
    const files = mortalFiles(this.files, life);
    const store = await DeviceStore.open(files, DATASTORE, this.#logger());
    const tries = this.#options.tries ?? 3;
    const options: EngineOptions = {
      system: {
        clock: this.time,
        timers: this.time,
        files,
        processes: {
          start: (spec) => life.step(`start ${spec.args[0] ?? spec.command}`, () => this.#run(spec, life)),
          onSignal: () => () => undefined,
        },
        power: { reboot: () => this.#reboot(life) },
      },
      logger: this.#logger(),
      store,
      paths: { datastore: DATASTORE, logs: DATASTORE, modules: MODULES, rootfsScripts: "/scripts" },
      settings: { ...DEFAULT_UPDATE_SETTINGS, ...this.#options.settings },
      openArtifact,
      deviceType: async () => "board",
      server: this.#server(life, await this.#served()),
      openAdaptively: async () => openAdaptively,
      retryDelays: (attempt, retryAfterMs) => (attempt >= tries ? undefined : (retryAfterMs ?? 60_000)),
      onProgress: (event) => {
        if (event.kind === "state") this.states.push(event.state);
        else this.received.push([event.receivedBytes, event.totalBytes]);
      },
    };
    return new UpdateEngine(options);
  }

  /**
   * Run the deployment, restarting the program whenever it was killed or rebooted, until it has come to its end.
   * @param cut Where the program is killed, its steps counted over all its lives.
   * @param onEnd Told when a life has ended before its work.
   */
  async deploy(
    cut?: Cut,
    onEnd: () => void = () => undefined,
  ): Promise<DeploymentResult & { readonly steps: readonly string[] }> {
    const steps: string[] = [];
    for (let lives = 1; lives <= 100; lives++) {
      const life = new Life(cut && { ...cut, step: cut.step - steps.length });
      const result = await Promise.race([this.#live(life), life.over]);
      steps.push(...life.names);
      if (result !== "killed") return { ...result, steps };
      onEnd();
      this.time.clear();
    }
    throw new Error(`no end after 100 lives: ${this.trace.join(", ")}`);
  }

  /** One life, that ends where `endsAfter` says, or comes to its end. @returns True if it was ended. */
  async deployUntil(endsAfter: EndsAfter): Promise<boolean> {
    const life = new Life(undefined, endsAfter);
    const result = await Promise.race([this.#live(life), life.over]);
    this.time.clear();
    return result === "killed";
  }

  async #live(life: Life): Promise<DeploymentResult> {
    const engine = await this.start(life);
    const resumed = await engine.resume();
    if (resumed !== undefined) return resumed;
    if (this.finals.length > 0) {
      // It was told, acknowledged and forgotten, and the program was killed right then.
      const status = this.finals[0] === "success" ? "success" : "failure";
      return {
        kind: "finished",
        deployment: DEPLOYMENT.id,
        status,
        device: "unknown",
        artifactName: undefined,
        failure: undefined,
        reported: "accepted",
      };
    }
    return await engine.runDeployment(this.#instructions);
  }

  #count(what: string): number {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return count;
  }

  #logger(): Logger {
    const log = (level: string) => (message: string) => {
      this.logged.push(`${level}: ${message}`);
    };
    const logger: Logger = {
      ...noopLogger,
      error: log("error"),
      warning: log("warning"),
      info: log("info"),
      with: () => logger,
    };
    return logger;
  }

  async #reboot(life: Life): Promise<void> {
    this.trace.push("reboot");
    this.rebooted = true;
    await life.end();
  }

  async #run(spec: ProcessSpec, life: Life): Promise<RunningProcess> {
    if (this.files.text(spec.command) === undefined) throw new SystemError("ENOENT", `no ${spec.command}`);
    const name = spec.args[0] ?? spec.command.slice(spec.command.lastIndexOf("/") + 1);
    const { answers, fails, hangs, reboots } = this.#options.behaviour ?? {};
    this.trace.push(name);
    this.onCall(name);
    const nth = this.#count(`run ${name}`);
    const fault = fails?.[name];
    const code = typeof fault === "number" ? fault : fault !== undefined && nth <= fault.times ? fault.code : 0;
    let end: (exit: ProcessExit) => void = () => undefined;
    const exit = new Promise<ProcessExit>((resolve) => {
      end = resolve;
    });
    if (name === "ArtifactInstall") this.software = "new";
    if (name === "ArtifactRollback" && code === 0) this.software = "old";
    if (reboots?.includes(name)) {
      this.trace.push("reboot");
      void life.end();
    } else if (!hangs?.includes(name)) {
      const answer = answers?.[name];
      if (answer !== undefined) spec.onStdout?.(Buffer.from(answer));
      end({ code });
    }
    return { pid: 1, exit, signal: (signal) => end({ signal }) };
  }

  async #served(): Promise<Served | undefined> {
    if (this.#options.adaptive === undefined) return undefined;
    this.#serves ??= await servedArtifact(await this.bytes());
    return this.#serves;
  }

  /** Reads parts of the artifact, counted over all downloads. */
  #ranges(served: Served, life: Life): ArtifactRanges {
    const ranges = new MemoryRanges(served);
    ranges.change = (bytes, read) => {
      this.reads.push(read);
      const sent = this.#options.adaptive?.change?.(bytes, read, this.reads.length) ?? bytes;
      this.fetchedBytes += sent.length;
      return sent;
    };
    return {
      get fetchedBytes() {
        return ranges.fetchedBytes;
      },
      read: (name, start, end) => life.still(() => ranges.read(name, start, end)),
      close: () => ranges.close(),
    };
  }

  #server(life: Life, served: Served | undefined): DeploymentServer {
    const { answer, answerLog, login, adaptive } = this.#options;
    const offer = served && (adaptive?.offer?.(served.offer) ?? served.offer);
    const instructions = { ...DEPLOYMENT, artifact: { ...DEPLOYMENT.artifact, ...given({ adaptive: offer }) } };
    this.#instructions = instructions;
    const orThrow = <T>(value: T | Error): T => {
      if (value instanceof Error) throw value;
      return value;
    };
    return {
      report: (_deployment, status, _signal, transfer) =>
        life.step(`report ${status}`, async () => {
          this.transfers.push([status, transfer]);
          const nth = this.#count(`report ${status}`);
          this.trace.push(`> ${status}`);
          return orThrow(answer?.(status, nth) ?? "accepted");
        }),
      sendLog: (_deployment, messages) =>
        life.step("log", async () => {
          this.trace.push("log");
          const taken = orThrow(answerLog?.(this.#count("log")) ?? "accepted");
          this.logs.push(messages);
          return taken;
        }),
      loginAfresh: () =>
        life.step("login", async () => {
          this.trace.push("login");
          orThrow(login?.(this.#count("login")));
        }),
      instructionsOf: () =>
        life.still(async () => {
          orThrow(this.#options.offer?.(this.#count("offer")));
          return this.#options.withdrawn ? undefined : instructions;
        }),
      ...(served === undefined ? {} : { ranges: () => life.still(async () => this.#ranges(served, life)) }),
      download: (_instructions, _signal, reachedBytes) =>
        life.still(async () => {
          this.reached.push(reachedBytes ?? 0);
          const { pieceBytes } = this.#options;
          return skippingSource(await this.bytes(), pieceBytes, (bytes) => {
            this.fetchedBytes += bytes;
          });
        }),
    };
  }
}

export const OFFLINE = new AgentError("server-unreachable", "the server cannot be reached", { retryable: true });
