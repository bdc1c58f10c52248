import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { ManagementClient } from "../support/management.ts";
import { type Program, startProgram } from "../support/program.ts";
import { RecordingProxy } from "../support/recording-proxy.ts";
import { until } from "../support/waiting.ts";
import type { ForgetfulServer } from "./plants.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");

export interface ServerOptions {
  readonly directory: string;
  /** Of PostgreSQL; SQLite in the directory if absent. */
  readonly database: string | undefined;
  /** Stands between the server and its devices. */
  readonly mistake: ForgetfulServer | undefined;
}

/** A real server process that can be killed and started again, behind an address that stays. */
export class TorturedServer {
  readonly #options: ServerOptions;
  #program: Program | undefined;
  #administrator: { readonly email: string; readonly password: string } | undefined;
  #management: ManagementClient | undefined;
  /** What devices talk to. */
  readonly proxy: RecordingProxy;

  private constructor(options: ServerOptions, proxy: RecordingProxy) {
    this.#options = options;
    this.proxy = proxy;
  }

  static async create(options: ServerOptions): Promise<TorturedServer> {
    const server = new TorturedServer(options, await RecordingProxy.start(undefined));
    await server.start();
    return server;
  }

  get management(): ManagementClient {
    if (this.#management === undefined) throw new Error("the server does not run");
    return this.#management;
  }

  get runs(): boolean {
    return this.#management !== undefined;
  }

  async start(): Promise<void> {
    const { directory, database, mistake } = this.#options;
    const where = ["--data", join(directory, "server"), "--listen", "127.0.0.1:0"];
    const how = ["--auto-accept", "--json", "--log-format", "json"];
    const records = database === undefined ? [] : ["--database", database];
    const program = startProgram(process.execPath, [UPKEEP_SERVER, "serve", ...where, ...how, ...records]);
    const log = (text: string): void => appendFileSync(join(directory, "server.log"), text);
    program.child.stderr?.on("data", log);
    this.#program = program;
    const gone = program.ended.then((end) => {
      throw new Error(`the server ended at its start (${end}):\n${program.output()}`);
    });
    const ready = until("the server says where it is", () => /^\{.*\}$/m.exec(program.stdout())?.[0]);
    const { url, administrator } = JSON.parse(await Promise.race([ready, gone])) as {
      url: string;
      administrator?: { email: string; password: string };
    };
    gone.catch(() => undefined);
    this.#administrator ??= administrator;
    if (this.#administrator === undefined) throw new Error("the server has made no administrator");
    this.proxy.target = (await mistake?.before(url)) ?? url;
    const { email, password } = this.#administrator;
    this.#management = await ManagementClient.logIn(url, email, password);
  }

  async kill(): Promise<void> {
    this.#management = undefined;
    this.proxy.target = undefined;
    appendFileSync(join(this.#options.directory, "server.log"), "--- killed ---\n");
    await this.#program?.stop("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    await this.proxy.stop();
    await this.#options.mistake?.stop();
  }
}
