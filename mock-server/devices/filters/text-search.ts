import { DEVICE_DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import type { DeviceRecord, Records } from "../../storage/index.ts";
import type { AttributeValue } from "./match.ts";

/** Characters that are the same in a text and in its JSON, and whose case every engine knows. */
const PLAIN = /[ !#-[\]-~]+/g;
/** The only characters beyond ASCII whose lower case has a letter of ASCII: the Kelvin sign, and I with a dot. */
const LOWERED: Readonly<Record<string, string>> = { k: "\u212a", i: "\u0130" };
const PLAIN_LENGTH_MAX = 1000;

/** The form of a timestamp, in lower case, with `0` for each digit. */
const TIMESTAMP = "0000-00-00t00:00:00.000z";

/** Finds devices by a substring of the id or of any value of an attribute, case-insensitive. */
export class TextSearch {
  readonly #text: string;
  /** A part of the text that each stored value with the text has; absent: there is none. */
  readonly #plain: string | undefined;
  readonly #isOfTimestamp: boolean;
  readonly #isOfStatus: boolean;

  constructor(text: string) {
    this.#text = text.toLowerCase();
    const [longest] = (this.#text.match(PLAIN) ?? []).sort((a, b) => b.length - a.length);
    this.#plain = longest?.slice(0, PLAIN_LENGTH_MAX);
    this.#isOfTimestamp = TIMESTAMP.includes(this.#text.replace(/\d/g, "0"));
    this.#isOfStatus = DEVICE_DEPLOYMENT_STATUSES.some((status) => status.includes(this.#text));
  }

  /** The ids of the devices with the text. */
  async among(records: Records, devices: readonly DeviceRecord[]): Promise<Set<string>> {
    const latest = this.#isOfStatus
      ? await records.deviceDeployments.latestStatuses(devices.map(({ id }) => id))
      : undefined;
    const found = new Set(devices.filter((one) => this.#isDerived(one, latest?.get(one.id))).map(({ id }) => id));
    const others = devices.map(({ id }) => id).filter((id) => !found.has(id));
    for (const id of await this.#stored(records, others)) found.add(id);
    return found;
  }

  async #stored(records: Records, ids: readonly string[]): Promise<readonly string[]> {
    if (this.#plain === undefined) return await this.#checked(records, ids);
    const or = [...this.#plain].flatMap((character) => LOWERED[character] ?? []);
    const samples = await records.inventory.mentions(ids, this.#plain, [...new Set(or)]);
    const certain: string[] = [];
    const uncertain: string[] = [];
    for (const [id, json] of samples) (this.#isIn(json) ? certain : uncertain).push(id);
    return [...certain, ...(await this.#checked(records, uncertain))];
  }

  async #checked(records: Records, ids: readonly string[]): Promise<readonly string[]> {
    const found = new Set<string>();
    for (const { device_id, value_json } of await records.inventory.ofDevices(ids)) {
      if (this.#isIn(value_json)) found.add(device_id);
    }
    return [...found];
  }

  #isIn(json: string): boolean {
    return [JSON.parse(json) as AttributeValue]
      .flat()
      .some((one: unknown) => String(one).toLowerCase().includes(this.#text));
  }

  /** True if an attribute that the server derives has the text. */
  #isDerived({ id, status, tier, group_name, ...device }: DeviceRecord, latestStatus: string | undefined): boolean {
    const values = [id, status, tier, group_name, latestStatus];
    if (values.some((value) => value?.toLowerCase().includes(this.#text))) return true;
    if (!this.#isOfTimestamp) return false;
    const updatedMs = Math.max(device.updated_ms, device.attributes_ms ?? 0);
    return [device.created_ms, updatedMs, device.check_in_ms].some(
      (ms) => ms !== null && new Date(ms).toISOString().toLowerCase().includes(this.#text),
    );
  }
}
