/**
 * A client of its own process: sends pairs of requests over kept-alive TLS connections. `tls-pairs.ts PORT COUNT`.
 * Of each pair the first gets a large answer; the second comes as soon as that is there, its header and its body in
 * two writes that leave together. Writes how many pairs were answered and how many were cut, as JSON.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";

const CONNECTIONS = 8;
const [port = 0, count = 0] = process.argv.slice(2).map(Number);

/** What TLS sends and gets, over a plain connection: what is written in one turn leaves in one piece. */
function gathered(plain: Socket): Duplex {
  return new Duplex({
    read: () => void plain.resume(),
    write(chunk: Buffer, _encoding, done) {
      plain.cork();
      plain.write(chunk);
      setImmediate(() => plain.uncork());
      done();
    },
    final: (done) => void plain.end(done),
  });
}

async function openConnection(): Promise<TLSSocket> {
  const plain = connect({ host: "127.0.0.1", port, noDelay: true });
  await once(plain, "connect");
  const wire = gathered(plain);
  plain.on("data", (chunk: Buffer) => {
    if (!wire.push(chunk)) plain.pause();
  });
  plain.on("error", () => undefined);
  const socket = connectTls({ socket: wire, rejectUnauthorized: false });
  plain.on("close", () => socket.destroy());
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  return socket;
}

/** One request. @returns False if the connection was cut before the whole answer had come. */
function ask(socket: TLSSocket, head: string, body: string): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    const settle = (answered: boolean): void => {
      socket.off("data", take).off("close", cut);
      resolve(answered);
    };
    const cut = (): void => settle(false);
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const header = text.indexOf("\r\n\r\n");
      const length = /content-length: (\d+)/i.exec(text.slice(0, header))?.[1];
      if (length !== undefined && text.length >= header + 4 + Number(length)) settle(true);
    };
    socket.on("data", take).on("close", cut);
    socket.write(head);
    if (body !== "") socket.write(body);
  });
}

let answered = 0;
let cut = 0;

async function pairs(many: number): Promise<void> {
  let socket = await openConnection();
  for (let number = 0; number < many; number++) {
    const whole =
      (await ask(socket, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "")) &&
      (await ask(socket, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "12345"));
    if (whole) answered += 1;
    else {
      cut += 1;
      socket = await openConnection();
    }
  }
  socket.end();
}

await Promise.all(Array.from({ length: CONNECTIONS }, () => pairs(count / CONNECTIONS)));
process.stdout.write(JSON.stringify({ answered, cut }));
process.exit(0);
