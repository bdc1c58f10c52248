import { execFileSync } from "node:child_process";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server } from "node:net";

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: "pipe" });
}

/** A network namespace for one device, with a link to this machine. */
export class DeviceNetwork {
  readonly #name: string;
  readonly #link: string;
  readonly #subnet: string;

  /** @param number From 1 on: of the device, for its addresses. */
  constructor(number: number) {
    this.#name = `upkeep-${process.pid}-${number}`;
    this.#link = `upk${process.pid}n${number}`.slice(0, 15);
    this.#subnet = `10.213.${number}`;
    ip("netns", "add", this.#name);
    ip("link", "add", this.#link, "type", "veth", "peer", "name", "eth0", "netns", this.#name);
    ip("address", "add", `${this.#subnet}.1/24`, "dev", this.#link);
    ip("link", "set", this.#link, "up");
    ip("-netns", this.#name, "address", "add", `${this.#subnet}.2/24`, "dev", "eth0");
    ip("-netns", this.#name, "link", "set", "eth0", "up");
    ip("-netns", this.#name, "link", "set", "lo", "up");
  }

  get path(): string {
    return `/run/netns/${this.#name}`;
  }

  /** This machine's address, as the device sees it. */
  get host(): string {
    return `${this.#subnet}.1`;
  }

  cut(): void {
    ip("link", "set", this.#link, "down");
  }

  restore(): void {
    ip("link", "set", this.#link, "up");
  }

  remove(): void {
    ip("link", "delete", this.#link);
    ip("netns", "delete", this.#name);
  }
}

/** Makes a server that listens on 127.0.0.1 reachable on all addresses of this machine. */
export class Relay {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(url: string): Promise<Relay> {
    const { hostname: host, port } = new URL(url);
    const server = createServer((device) => {
      const upstream = connect({ host, port: Number(port) });
      for (const socket of [device, upstream]) {
        socket.on("error", () => undefined);
        socket.on("close", () => {
          device.destroy();
          upstream.destroy();
        });
      }
      device.pipe(upstream);
      upstream.pipe(device);
    });
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    return new Relay(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
  }
}
