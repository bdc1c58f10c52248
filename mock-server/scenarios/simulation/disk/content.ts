/** A buffer that versions of a growing file share: a version that ends at `used` can append in place. */
interface Room {
  readonly bytes: Uint8Array;
  used: number;
}

const EMPTY = new Uint8Array(0);

/**
 * The bytes of a file. Never changes: a write gives a new one, which shares what it can with the old.
 * So snapshots and survivors of power cuts cost nothing.
 */
export class Content {
  static readonly empty = new Content(EMPTY);

  readonly bytes: Uint8Array;
  readonly #room: Room | undefined;

  private constructor(bytes: Uint8Array, room?: Room) {
    this.bytes = bytes;
    this.#room = room;
  }

  /** A copy of `bytes`. */
  static of(bytes: Uint8Array): Content {
    return bytes.length === 0 ? Content.empty : new Content(bytes.slice());
  }

  get length(): number {
    return this.bytes.length;
  }

  truncated(length: number): Content {
    if (length >= this.length) return this;
    return length === 0 ? Content.empty : new Content(this.bytes.subarray(0, length));
  }

  /** `data` put at `offset`; a gap before it reads as zeros. */
  written(offset: number, data: Uint8Array): Content {
    const length = Math.max(this.length, offset + data.length);
    if (offset === this.length) return this.#appended(data);
    const bytes = new Uint8Array(length);
    bytes.set(this.bytes);
    bytes.set(data, offset);
    return new Content(bytes);
  }

  #appended(data: Uint8Array): Content {
    const length = this.length + data.length;
    let room = this.#room;
    if (room === undefined || room.used !== this.length || room.bytes.length < length) {
      // Small files are written once; room to grow is for those that keep growing.
      room = { bytes: new Uint8Array(this.length === 0 ? length : 2 * length), used: 0 };
      room.bytes.set(this.bytes);
    }
    room.bytes.set(data, this.length);
    room.used = length;
    return new Content(room.bytes.subarray(0, length), room);
  }
}
