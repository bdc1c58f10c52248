import { type Kysely, sql } from "kysely";
import type { AttributeRecord } from "./inventory.ts";
import { Prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import { escapeLike } from "./text.ts";

/** Between two values: no escaped text has it. */
const SEPARATOR = "\n";
/** No characters, by Unicode: what cannot be kept is written with them, so that no part of it is another one. */
const [FIRST, MORE, LAST] = ["\ufdd0", "\ufdd1", "\ufdd2"];
/** PostgreSQL keeps no NUL, and the others have a meaning here. */
const SPECIAL = /[\0\n\ufdd0-\ufdd2]/g;
const ALL_SPECIAL = ["\0", SEPARATOR, FIRST, MORE, LAST];

/** The text in lower case. It contains another one exactly if that is so of the texts in lower case. */
function searchable(text: string): string {
  const escaped = (character: string) => `${FIRST}${MORE.repeat(ALL_SPECIAL.indexOf(character))}${LAST}`;
  return text.toLowerCase().replace(SPECIAL, escaped);
}

type ValueRecord = Pick<AttributeRecord, "value_json">;

/** What a device is found by, besides its id: each of its values. */
export function deviceText(attributes: readonly ValueRecord[]): string {
  const values = attributes.flatMap(({ value_json }) => [JSON.parse(value_json) as unknown].flat());
  return [...new Set(values.map((value) => searchable(String(value))))].join(SEPARATOR);
}

const PUT = new Prepared<{ deviceId: string; text: string }, unknown>((db, value) =>
  db
    .insertInto("device_texts")
    .values({ device_id: value("deviceId"), text: value("text") })
    .onConflict((conflict) => conflict.column("device_id").doUpdateSet((eb) => ({ text: eb.ref("excluded.text") }))),
);

/** SQLite's `like` takes these for one character. */
const CONFUSED = /[\ud800-\udfff\ufffd-\uffff]/;

/** A part of an id, which is a UUID. */
const PART_OF_ID = /^[\da-f-]{1,36}$/;

/** The condition that the id or the text of a row of `device_texts` contains `text`, in any case. */
export function mentions(text: string) {
  const part = searchable(text);
  const pattern = `%${escapeLike(part)}%`;
  // SQLite's `like` ignores the case of ASCII letters, which is lower on both sides.
  const like = sql<boolean>`text like ${pattern} escape '!'`;
  // Ids are as long as all values together: most searches need not read them.
  if (PART_OF_ID.test(part)) return sql<boolean>`(${like} or device_id like ${pattern})`;
  return CONFUSED.test(part) ? sql<boolean>`(${like} and replace(text, ${part}, '') <> text)` : like;
}

/**
 * The texts by which devices are found. The transaction that writes an attribute writes the text too. A search reads
 * all of them: they lie close together, and no index finds what is shorter than three characters.
 */
export class DeviceTextRecords {
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** @param attributes All that the device has. */
  async put(deviceId: string, attributes: readonly ValueRecord[]): Promise<void> {
    await PUT.all(this.#db, { deviceId, text: deviceText(attributes) });
  }

  /** The ids of the devices that mention the text, sorted. */
  async devices(
    text: string,
    { after = "", limit, offset = 0 }: { readonly after?: string; readonly limit: number; readonly offset?: number },
  ): Promise<string[]> {
    let query = this.#db.selectFrom("device_texts").select("device_id").where(mentions(text)).orderBy("device_id");
    if (after !== "") query = query.where("device_id", ">", after);
    if (offset > 0) query = query.offset(offset);
    return (await query.limit(limit).execute()).map(({ device_id }) => device_id);
  }

  /** The number of devices that mention the text, with ids above `after`. */
  async count(text: string, after: string): Promise<number> {
    const query = this.#db.selectFrom("device_texts").select((eb) => eb.fn.countAll<number>().as("count"));
    return Number((await query.where("device_id", ">", after).where(mentions(text)).executeTakeFirstOrThrow()).count);
  }
}
