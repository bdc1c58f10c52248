import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";

/** The protocol of network block devices: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md */
const NBD = {
  magic: Buffer.from("NBDMAGICIHAVEOPT"),
  optionMagic: Buffer.from("IHAVEOPT"),
  optionReply: 0x3e889045565a9n,
  request: 0x25609513,
  reply: 0x67446698,
  fixedNewstyleNoZeroes: 3,
  option: { go: 7 },
  answer: { acknowledged: 1, information: 3, unsupported: 0x80000001 },
  hasFlagsAndFlush: 1 | 4,
  command: { read: 0, write: 1, disconnect: 2, flush: 3 },
  invalid: 22,
} as const;

const SECTOR_BYTES = 512;

/** What a drive's cache holds at most: then it writes the oldest. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024;

interface Write {
  readonly offset: number;
  readonly data: Buffer;
}

/**
 * A disk for QEMU with a write cache that a power cut loses: of the writes since the last flush some are kept, some are
 * lost, some are torn between two sectors. The content is that of a file.
 */
export class VolatileDisk {
  readonly #file: number;
  readonly #server: Server;
  readonly #random: () => number;
  readonly #socket: string;
  #cache: Write[] = [];
  #cacheBytes = 0;
  #connection: Socket | undefined;

  private constructor(file: string, socket: string, random: () => number) {
    this.#file = openSync(file, "r+");
    this.#socket = socket;
    this.#random = random;
    this.#server = createServer((connection) => {
      this.#connection = connection;
      connection.on("error", () => connection.destroy());
      void this.#serve(connection).catch(() => connection.destroy());
    });
  }

  /**
   * @param file The disk's content, of which nothing else writes.
   * @param socket Path of the Unix socket where QEMU finds it.
   * @param random Numbers from 0 to 1, which decide what a power cut loses.
   */
  static async open(file: string, socket: string, random: () => number): Promise<VolatileDisk> {
    const disk = new VolatileDisk(file, socket, random);
    await new Promise<void>((resolve) => disk.#server.listen(socket, resolve));
    return disk;
  }

  /** The option of QEMU's `-drive` that connects it. */
  get drive(): string {
    return `driver=nbd,server.type=unix,server.path=${this.#socket},cache=writeback`;
  }

  /** After QEMU was killed. @returns How many writes the disk had not flushed, and how many of them it kept whole. */
  loseCache(): { unflushed: number; kept: number } {
    this.#connection?.destroy();
    const writes = this.#cache;
    this.#cache = [];
    this.#cacheBytes = 0;
    let kept = 0;
    for (const { offset, data } of writes) {
      const fate = this.#random();
      if (fate < 1 / 3) continue;
      const sectors = Math.floor((data.length / SECTOR_BYTES) * (fate < 2 / 3 ? this.#random() : 1));
      if (sectors * SECTOR_BYTES === data.length) kept += 1;
      writeSync(this.#file, data, 0, sectors * SECTOR_BYTES, offset);
    }
    return { unflushed: writes.length, kept };
  }

  /** After QEMU has ended in an orderly way. */
  flush(): void {
    for (const { offset, data } of this.#cache) writeSync(this.#file, data, 0, data.length, offset);
    this.#cache = [];
    this.#cacheBytes = 0;
    fdatasyncSync(this.#file);
  }

  async close(): Promise<void> {
    this.#connection?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    closeSync(this.#file);
    rmSync(this.#socket, { force: true });
  }

  #read(offset: number, length: number): Buffer {
    const data = Buffer.alloc(length);
    readSync(this.#file, data, 0, length, offset);
    for (const write of this.#cache) {
      const from = Math.max(offset, write.offset);
      const to = Math.min(offset + length, write.offset + write.data.length);
      if (from < to) write.data.copy(data, from - offset, from - write.offset, to - write.offset);
    }
    return data;
  }

  #write(offset: number, data: Buffer): void {
    this.#cache.push({ offset, data });
    this.#cacheBytes += data.length;
    while (this.#cacheBytes > CACHE_BYTES_MAX) {
      const oldest = this.#cache.shift();
      if (oldest === undefined) return;
      writeSync(this.#file, oldest.data, 0, oldest.data.length, oldest.offset);
      this.#cacheBytes -= oldest.data.length;
    }
  }

  async #serve(connection: Socket): Promise<void> {
    const take = reader(connection);
    connection.write(Buffer.concat([NBD.magic, sixteen(NBD.fixedNewstyleNoZeroes)]));
    await take(4);
    await this.#negotiate(connection, take);
    for (;;) {
      const header = await take(28);
      if (header.readUInt32BE(0) !== NBD.request) throw new Error("not a request of the NBD protocol");
      const command = header.readUInt16BE(6);
      const offset = Number(header.readBigUInt64BE(16));
      const length = header.readUInt32BE(24);
      const answer = (error: number, data: Buffer = Buffer.alloc(0)) =>
        connection.write(
          Buffer.concat([thirtyTwo(NBD.reply), thirtyTwo(error), Buffer.from(header.subarray(8, 16)), data]),
        );
      if (command === NBD.command.disconnect) return void connection.end();
      if (command === NBD.command.read) answer(0, this.#read(offset, length));
      else if (command === NBD.command.write) {
        this.#write(offset, await take(length));
        answer(0);
      } else if (command === NBD.command.flush) {
        this.flush();
        answer(0);
      } else answer(NBD.invalid);
    }
  }

  /** Answers the client's options until it wants to begin. */
  async #negotiate(connection: Socket, take: (length: number) => Promise<Buffer>): Promise<void> {
    for (;;) {
      const option = await take(16);
      if (!option.subarray(0, 8).equals(NBD.optionMagic)) throw new Error("not an option of the NBD protocol");
      const number = option.readUInt32BE(8);
      await take(option.readUInt32BE(12));
      const answer = (type: number, data: Buffer = Buffer.alloc(0)) => {
        const magic = Buffer.alloc(8);
        magic.writeBigUInt64BE(NBD.optionReply);
        connection.write(Buffer.concat([magic, thirtyTwo(number), thirtyTwo(type), thirtyTwo(data.length), data]));
      };
      if (number !== NBD.option.go) {
        answer(NBD.answer.unsupported);
        continue;
      }
      const size = Buffer.alloc(8);
      size.writeBigUInt64BE(BigInt(fstatSync(this.#file).size));
      answer(NBD.answer.information, Buffer.concat([sixteen(0), size, sixteen(NBD.hasFlagsAndFlush)]));
      answer(NBD.answer.acknowledged);
      return;
    }
  }
}

function sixteen(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}

function thirtyTwo(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

/** @returns Takes so many bytes from the socket. @throws Error at its end */
function reader(socket: Socket): (length: number) => Promise<Buffer> {
  const chunks: Buffer[] = [];
  let held = 0;
  let wake: () => void = () => undefined;
  let ended = false;
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
    wake();
  });
  socket.on("close", () => {
    ended = true;
    wake();
  });
  return async (length) => {
    while (held < length) {
      if (ended) throw new Error("the connection has ended");
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const [first] = chunks;
    const whole = first !== undefined && first.length >= length ? first : Buffer.concat(chunks);
    if (whole === first) chunks.shift();
    else chunks.length = 0;
    if (whole.length > length) chunks.unshift(whole.subarray(length));
    held -= length;
    return whole.subarray(0, length);
  };
}
