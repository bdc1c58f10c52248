import { type ClientRequest, createServer, type RequestListener, type RequestOptions, request } from "node:http";
import { Duplex } from "node:stream";
import { given } from "@upkeep/shared/given";

/** The connection that a request came over before, as far as the listener asks. */
export interface CameOver {
  /** IP address of its other side. */
  readonly remoteAddress?: string | undefined;
  /** It has TLS. */
  readonly encrypted?: boolean;
}

/** One end of a connection that exists in this process alone. */
class End extends Duplex {
  other: End | undefined;
  #resume: (() => void) | undefined;
  #heardAll = false;

  override _read(): void {
    this.#written();
  }

  #written(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** What the other end wrote; `null`: it writes no more. @returns False if it should wait. */
  hear(chunk: Buffer | null): boolean {
    return this.readableEnded || this.destroyed || this.#heardAll || this.#push(chunk);
  }

  #push(chunk: Buffer | null): boolean {
    this.#heardAll = chunk === null;
    return this.push(chunk);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const { other } = this;
    if (other === undefined || other.destroyed) done(connectionReset());
    else other.receive(chunk, done);
  }

  override _final(done: () => void): void {
    this.other?.hear(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    this.other = undefined;
    if (other !== undefined) {
      other.other = undefined;
      // What was written before is still read.
      other.hear(null);
    }
    this.#written();
    done(error);
  }

  receive(chunk: Buffer, done: () => void): void {
    if (this.hear(chunk)) done();
    else this.#resume = done;
  }

  // What HTTP asks of a socket, and has no meaning here.
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

function connectionReset(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}

/** HTTP without sockets. */
export interface InMemory {
  /** As `request` of node:http, to the listener; host and port mean nothing. */
  request(options: RequestOptions, cameOver?: CameOver): ClientRequest;
  close(): void;
}

/** Hand requests to `listener` as bytes of HTTP, over connections in memory. */
export function openInMemory(listener: RequestListener): InMemory {
  const server = createServer(listener);
  server.keepAliveTimeout = 0;
  const connect = ({ remoteAddress, encrypted = false }: CameOver): Duplex => {
    const near = new End();
    const far = new End();
    near.other = far;
    far.other = near;
    far.on("error", () => far.destroy());
    Object.assign(far, given({ remoteAddress }), encrypted ? { encrypted } : {});
    server.emit("connection", far);
    return near;
  };
  return {
    request: (options, cameOver = {}) => request({ ...options, createConnection: () => connect(cameOver) }),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
