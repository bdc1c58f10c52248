import type { Socket } from "node:net";
import { isLast, type PlainListener, type PlainReply, type PlainRequest, readPlain, written } from "./plain-http.ts";

/** What a connection needs of those who keep all of them. */
export interface PlainPort {
  readonly listener: PlainListener;
  readonly keepAliveMs: number;
  /** True if no connection is to be kept any more. */
  isClosing(): boolean;
  /** The connection is in the middle of a request, or not any more. */
  busy(socket: Socket, requests: 1 | -1): void;
  /** The platform's reader takes over, from what was read and not answered. */
  handOver(socket: Socket): void;
}

/**
 * Reads a connection itself, as long as every request on it comes whole and written plainly, and somebody answers
 * it: the platform's reader, made for requests of every kind and length, takes longer than all the rest. With the
 * first that is not like that the connection is the platform's, for good.
 */
export function readPlainly(socket: Socket, port: PlainPort): void {
  new PlainConnection(socket, port);
}

class PlainConnection {
  readonly #socket: Socket;
  readonly #port: PlainPort;

  constructor(socket: Socket, port: PlainPort) {
    this.#socket = socket;
    this.#port = port;
    socket.setTimeout(port.keepAliveMs);
    socket.on("data", this.#take).on("end", this.#end).on("timeout", this.#drop).on("error", this.#drop);
  }

  readonly #end = (): void => {
    this.#socket.end();
  };

  readonly #drop = (): void => {
    this.#socket.destroy();
  };

  readonly #take = (bytes: Buffer): void => {
    const socket = this.#socket;
    // It was told that this is the end.
    if (!socket.writable) return;
    const request = readPlain(bytes, socket);
    const reply = request === undefined ? undefined : this.#port.listener(request);
    if (request === undefined || reply === undefined) this.#handOver(bytes);
    else if (reply instanceof Promise) void this.#wait(request, reply);
    else this.#write(request, reply);
  };

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off("data", this.#take).off("end", this.#end).off("timeout", this.#drop).off("error", this.#drop);
    socket.setTimeout(0);
    // Whoever reads it next begins with what was read already.
    socket.pause();
    socket.unshift(bytes);
    this.#port.handOver(socket);
    socket.resume();
  }

  /** One request at a time: what comes meanwhile stays where it is. */
  async #wait(request: PlainRequest, later: Promise<PlainReply>): Promise<void> {
    const socket = this.#socket;
    this.#port.busy(socket, 1);
    socket.pause();
    // It is not the client that is silent.
    socket.setTimeout(0);
    this.#write(request, await later);
    socket.setTimeout(this.#port.keepAliveMs);
    if (!socket.writableNeedDrain) socket.resume();
    this.#port.busy(socket, -1);
  }

  #write(request: PlainRequest, reply: PlainReply): void {
    const socket = this.#socket;
    if (!socket.writable) {
      reply.lost();
      return;
    }
    const last = isLast(request) || this.#port.isClosing();
    const bytes = written(reply, last ? undefined : this.#port.keepAliveMs / 1000);
    // A head alone is ASCII, which takes no looking at.
    const taken = reply.payload === undefined ? socket.write(bytes, "latin1") : socket.write(bytes);
    if (last) socket.end();
    else if (!taken) this.#untilTaken();
    reply.sent();
  }

  /** Nothing is read of a client that does not read. */
  #untilTaken(): void {
    const socket = this.#socket;
    socket.pause();
    socket.once("drain", () => socket.resume());
  }
}
