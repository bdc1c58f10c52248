import type { IncomingMessage, ServerResponse } from "node:http";
import { type Listening, listen } from "../../system/listen.ts";
import type { AgentRest, AgentTime } from "./agent-clock.ts";

/** Handlers for the calls of programs on devices. */
export interface HubPort {
  /** An update module is called. @returns The faults to simulate. */
  module(device: string, call: string): Promise<readonly string[]>;
  /** A state script runs. */
  script(device: string, name: string): Promise<readonly string[]>;
  /** A program hangs. @param over Resolves when it has ended. */
  hangs(device: string, over: Promise<void>): void;
  /** An agent's process rests. @returns Resolves with the time when it is to go on. */
  clock(device: string, rest: AgentRest): Promise<AgentTime>;
  /** The middle of a module call. @param over Resolves when the module has ended. */
  midway(device: string, call: string, over: Promise<void>): Promise<void>;
  /** A program requests a reboot. */
  reboot(device: string): void;
}

/** The HTTP server through which programs on devices reach the runner. */
export class ProgramHub {
  readonly #port: HubPort;
  readonly #listening: Listening;

  private constructor(port: HubPort, listening: Listening) {
    this.#port = port;
    this.#listening = listening;
  }

  static async start(port: HubPort): Promise<ProgramHub> {
    let hub: ProgramHub | undefined;
    const address = { host: "127.0.0.1", port: 0 };
    const listening = await listen((request, response) => hub?.take(request, response), address);
    hub = new ProgramHub(port, listening);
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listening.port}`;
  }

  async close(): Promise<void> {
    await this.#listening.close(0);
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
    const device = searchParams.get("device") ?? "";
    // The request of a program ends with it.
    const over = new Promise<void>((resolve) => response.once("close", resolve));
    if (pathname === "/hangs") {
      this.#port.hangs(device, over);
      return;
    }
    void this.#told(pathname.slice(1), device, searchParams.get("about") ?? "", over).then((answer) => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  }

  async #told(
    what: string,
    device: string,
    about: string,
    over: Promise<void>,
  ): Promise<readonly string[] | AgentTime> {
    switch (what) {
      case "module":
        return await this.#port.module(device, about);
      case "script":
        return await this.#port.script(device, about);
      case "clock":
        return await this.#port.clock(device, JSON.parse(about) as AgentRest);
      case "midway":
        await this.#port.midway(device, about, over);
        return [];
      case "reboot":
        this.#port.reboot(device);
        return [];
      default:
        return [];
    }
  }
}
