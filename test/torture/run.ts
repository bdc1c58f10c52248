import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import type { Exchange } from "../support/recording-proxy.ts";
import { until } from "../support/waiting.ts";
import { type Ended, expectedProvides, isInconsistent, violationsOf } from "./checks.ts";
import { TorturedDevice } from "./device.ts";
import { describeFault, drawFaults, FAULTS, type FaultKind, type PlannedFault, Tormentor } from "./faults.ts";
import { artifactOf, describePlan, drawPlan, type Plan } from "./plans.ts";
import { ForgetfulServer, type Plant } from "./plants.ts";
import { TorturedServer } from "./server.ts";

/** Faults go on for so long, unless the deployment ends before. */
const SAFETY_MS = 6000;
/** Then it has so long to come to its end, and the device to ask again. */
const LIVENESS_MS = 150_000;

export interface RunOptions {
  readonly engine: "sqlite" | "postgres";
  readonly database: string | undefined;
  readonly directory: string;
  readonly seed: string;
  readonly durationMs: number;
  /** It ends after so many, too. */
  readonly deploymentsMax?: number | undefined;
  readonly plant?: Plant | undefined;
  /** Of the deployments that the seed draws, those that are wanted. */
  readonly only?: ((plan: Plan) => boolean) | undefined;
  /** Nothing is killed or filled. */
  readonly withoutFaults?: boolean | undefined;
}

export interface Result {
  readonly engine: RunOptions["engine"];
  readonly seed: string;
  readonly directory: string;
  deployments: number;
  success: number;
  failure: number;
  inconsistent: number;
  reboots: number;
  agentStarts: number;
  readonly faults: Record<FaultKind, number>;
  readonly violations: string[];
}

/** What must hold does not. */
class Violation extends Error {}

class TortureRun {
  readonly #options: RunOptions;
  readonly #result: Result;
  readonly #server: TorturedServer;
  readonly #device: TorturedDevice;
  readonly #chance: SeededRandom;
  #tormentor: Tormentor | undefined;
  #deviceId = "";
  #keyHash: string | undefined;
  #provides: Readonly<Record<string, string>> = {};
  /** Final statuses that the server has acknowledged, by deployment. */
  readonly #acknowledged = new Map<string, string>();
  readonly #artifacts = new Map<string, string>();
  #number = 0;

  constructor(options: RunOptions, server: TorturedServer, device: TorturedDevice, result: Result) {
    this.#options = options;
    this.#server = server;
    this.#device = device;
    this.#result = result;
    this.#chance = new SeededRandom(options.seed);
    server.proxy.onRequest = ({ path }) => this.#tormentor?.requested(path);
    server.proxy.onAnswer = (exchange) => this.#answered(exchange);
    device.events.on("state", (state) => this.#tormentor?.entered(state));
  }

  #say(line: string): void {
    appendFileSync(join(this.#options.directory, "torture.log"), `${new Date().toISOString()} ${line}\n`);
  }

  violated(what: string): void {
    this.#say(`VIOLATION: ${what}`);
    this.#result.violations.push(what);
  }

  #answered({ method, path, body, status = 0 }: Exchange): void {
    if (status >= 500) this.violated(`the server answered ${method} ${path} with ${status}`);
    const deployment = /deployments\/([^/]+)\/status$/.exec(path)?.[1];
    if (deployment === undefined || status !== 204) return;
    const reported = (JSON.parse(body) as { status: string }).status;
    const final = this.#acknowledged.get(deployment);
    if (final !== undefined && final !== reported)
      this.violated(`${reported} is taken after ${final} of ${deployment}`);
    this.#say(`${reported} is acknowledged`);
    if (reported === "success" || reported === "failure") this.#acknowledged.set(deployment, reported);
  }

  /** The body of the first poll from `from` on that was answered with nothing to install. */
  #idlePoll(from: number): Readonly<Record<string, string>> | undefined {
    const found = this.#server.proxy.exchanges
      .slice(from)
      .find(({ path, status }) => path === DEVICE_PATHS.nextV2 && status === 204);
    if (found === undefined) return undefined;
    return (JSON.parse(found.body) as { device_provides: Record<string, string> }).device_provides;
  }

  async #patiently<T>(what: string, question: () => T | undefined): Promise<T> {
    try {
      return await until(what, () => this.#unlessViolated(question), { limitMs: LIVENESS_MS });
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("waited")) throw error;
      this.#say(`the device's store: ${this.#device.store()}`);
      throw new Violation(`not within ${LIVENESS_MS / 1000} s: ${what}`);
    }
  }

  #unlessViolated<T>(question: () => T): T {
    if (this.#result.violations.length > 0) throw new Violation();
    return question();
  }

  async begin(): Promise<void> {
    this.#device.start();
    this.#provides = await this.#patiently("the new device polls", () => this.#idlePoll(0));
    this.#deviceId = (await this.#server.management.devices())[0]?.id ?? "";
    this.#keyHash = this.#device.keyHash();
  }

  #draw(): { plan: Plan; faults: PlannedFault[] } {
    for (;;) {
      const chance = this.#chance.fork(String(++this.#number));
      const plan = drawPlan(chance, `v${this.#number}`);
      if (this.#options.only?.(plan) === false) continue;
      return { plan, faults: this.#options.withoutFaults ? [] : drawFaults(chance) };
    }
  }

  async deployment(): Promise<void> {
    const { plan, faults } = this.#draw();
    const { management, proxy } = this.#server;
    this.#say(`--- ${describePlan(plan)}${faults.map((fault) => `; ${describeFault(fault)}`).join("")}`);
    const bytes = await artifactOf(plan, this.#device.softwareDirectory);
    const file = join(this.#options.directory, "artifact.mender");
    writeFileSync(file, bytes);
    this.#artifacts.set(await management.upload(file), createHash("sha256").update(bytes).digest("hex"));
    const before = this.#device.runs(plan.module).next;

    const tormentor = new Tormentor(this.#device, this.#server, faults, {
      say: (line) => this.#say(line),
      afterServerStart: () => this.#checkServer(),
    });
    await tormentor.before();
    const id = await management.deploy(plan.artifactName, [this.#deviceId]);
    this.#tormentor = tormentor;
    await this.#safety(id);
    await tormentor.end();
    this.#tormentor = undefined;
    this.#say("faults are over");

    const status = await this.#patiently("the server has a final status", () => this.#acknowledged.get(id));
    await this.#checkServer();
    const from = proxy.exchanges.length;
    const provides = await this.#patiently("the device asks again", () => this.#idlePoll(from));
    const { happened } = tormentor;
    for (const kind of happened) this.#result.faults[kind]++;
    const ended: Ended = {
      plan,
      status,
      before,
      runs: this.#device.runs(plan.module),
      provides,
      providesBefore: this.#provides,
      calls: this.#device.calls(),
      faults: happened.length,
    };
    this.#count(ended);
    for (const what of violationsOf(ended)) this.violated(`${plan.artifactName}: ${what}`);
    if (this.#device.keyHash() !== this.#keyHash) this.violated("the device's key has changed");
    await this.#checkServer();
    this.#provides = expectedProvides(ended);
  }

  #count({ status, provides }: Ended): void {
    this.#result.deployments++;
    if (status === "success") this.#result.success++;
    else this.#result.failure++;
    if (isInconsistent(provides)) this.#result.inconsistent++;
  }

  /** Until the deployment has ended, or the time for faults is over. */
  async #safety(id: string): Promise<void> {
    const end = performance.now() + SAFETY_MS;
    await until("faults are over", () => this.#acknowledged.has(id) || performance.now() > end || undefined);
  }

  /** What the server has taken is there: statuses, the device. */
  async #checkServer(): Promise<void> {
    const { management } = this.#server;
    const lastOnes = [...this.#acknowledged].slice(-3);
    for (const [deployment, acknowledged] of lastOnes) await this.#checkStatus(deployment, acknowledged);
    const devices = await management.devices();
    if (devices.length !== 1 || devices[0]?.status !== "accepted") {
      this.violated(`the server has the devices ${JSON.stringify(devices)}`);
    }
  }

  async #checkStatus(deployment: string, acknowledged: string): Promise<void> {
    const [device] = await this.#server.management.deviceDeployments(deployment);
    if (device?.status !== acknowledged) {
      this.violated(`deployment ${deployment}: ${acknowledged} was acknowledged, and is ${device?.status} now`);
    }
  }

  /** Everything that the server has ever taken is there. */
  async end(): Promise<void> {
    for (const [deployment, acknowledged] of this.#acknowledged) await this.#checkStatus(deployment, acknowledged);
    for (const [artifact, sha256] of this.#artifacts) {
      const path = `/api/management/v1/deployments/artifacts/${artifact}/download`;
      const { uri } = await this.#server.management.json<{ uri: string }>(path);
      const answer = await fetch(uri);
      const found = createHash("sha256")
        .update(Buffer.from(await answer.arrayBuffer()))
        .digest("hex");
      if (found !== sha256) this.violated(`artifact ${artifact} has another content (status ${answer.status})`);
    }
  }
}

/** Torture one device and one server until the time is over, or until something is violated. */
export async function torture(options: RunOptions): Promise<Result> {
  const { engine, seed, directory, database, plant, durationMs, deploymentsMax = Number.POSITIVE_INFINITY } = options;
  mkdirSync(directory, { recursive: true });
  const faults = Object.fromEntries(FAULTS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  const result: Result = {
    ...{ engine, seed, directory, deployments: 0, success: 0, failure: 0, inconsistent: 0, reboots: 0, agentStarts: 0 },
    ...{ faults, violations: [] },
  };
  const server = await TorturedServer.create({
    directory,
    database,
    mistake: plant === "forgetful server" ? new ForgetfulServer() : undefined,
  });
  const serverUrl = server.proxy.url;
  const device = new TorturedDevice({ directory, serverUrl, plant });
  const run = new TortureRun(options, server, device, result);
  const endMs = performance.now() + durationMs;
  try {
    await run.begin();
    while (performance.now() < endMs && result.deployments < deploymentsMax && result.violations.length === 0) {
      await run.deployment();
    }
    await run.end();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    if (error.message !== "") run.violated(error.message);
  } finally {
    result.reboots = device.reboots;
    result.agentStarts = device.starts;
    await device.stop();
    await server.stop();
  }
  return result;
}
