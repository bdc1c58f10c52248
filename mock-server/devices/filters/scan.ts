import type { Records, Storage } from "../../storage/index.ts";
import {
  type AttributeReference,
  type DeviceInventory,
  describeDevices,
  isDerived,
  lookupIn,
  storedLookups,
} from "../attributes.ts";
import { type AttributeLookup, matchesAll } from "./match.ts";
import { isNamed, mayBeNamed, type NamedBy } from "./named-search.ts";
import { bothOf, planScan, planText, SCAN_LIMITS, type ScanLimits, type ScanPlan } from "./scan-plan.ts";
import type { FilterTerm } from "./terms.ts";

export interface Scanned {
  readonly terms?: readonly FilterTerm[];
  readonly ids?: readonly string[];
  /** A part of the id, or of the value of an attribute that the server does not derive; in any case. */
  readonly text?: string;
  readonly named?: NamedBy;
}

/** A device that meets the conditions. */
export interface Found {
  readonly id: string;
  /** Knows the attributes that were asked for. */
  readonly lookup: AttributeLookup;
}

export interface SearchOptions {
  /** Ends the search with the reason of the signal, between two reads. */
  readonly signal?: AbortSignal;
  readonly limits?: ScanLimits;
}

export interface ScanOptions extends SearchOptions {
  /** The attributes that {@link Found} must know. Default: none. */
  readonly needed?: readonly AttributeReference[];
}

/** Devices that meet all conditions, by id, in batches. Concurrent changes may or may not be seen. */
export class Scan {
  readonly #storage: Storage;
  readonly #plan: ScanPlan;
  readonly #named: NamedBy | undefined;
  readonly #options: ScanOptions;
  readonly #limits: ScanLimits;

  private constructor(storage: Storage, named: NamedBy | undefined, plan: ScanPlan, options: ScanOptions) {
    this.#storage = storage;
    this.#plan = plan;
    this.#named = named;
    this.#options = options;
    this.#limits = options.limits ?? SCAN_LIMITS;
  }

  static async of(storage: Storage, wanted: Scanned, options: ScanOptions = {}): Promise<Scan> {
    options.signal?.throwIfAborted();
    const { terms = [], ids, text, named } = wanted;
    const { limits = SCAN_LIMITS } = options;
    const plan = await storage.read(async (records) => {
      if (text && terms.length === 0 && ids === undefined && named === undefined) {
        return await planText(records, text, limits);
      }
      const both = bothOf(ids, named && (await mayBeNamed(records, named, limits.sortedMax)));
      return await planScan(records, terms, both, text, limits);
    });
    return new Scan(storage, named, plan, options);
  }

  /** The number of devices, if it is known without looking at them. */
  get total(): number | undefined {
    return this.#named === undefined ? this.#plan.total : undefined;
  }

  /** The ids of some of the devices, if the index has them in order. */
  async page(limit: number, offset: number): Promise<readonly string[] | undefined> {
    const { whole, candidates, narrowing, probes, residual } = this.#plan;
    if (this.total === undefined) return undefined;
    if (candidates.kind === "ids") return candidates.ids.slice(offset, offset + limit);
    if (candidates.kind === "text") {
      const { text, first } = candidates;
      if (offset + limit <= first.length) return first.slice(offset, offset + limit);
      return await this.#storage.readOne(({ deviceTexts }) => deviceTexts.devices(text, { limit, offset }));
    }
    if (candidates.kind === "devices" && probes.length === 0 && residual.length === 0) {
      return await this.#storage.readOne(({ devices }) => devices.idsAfter(narrowing, "", limit, offset));
    }
    if (whole === undefined) return undefined;
    // The first devices of many are found sooner by looking at all devices in order than by sorting.
    if (candidates.kind === "devices" && offset + limit <= this.#limits.batch) return undefined;
    return await this.#storage.readOne(({ attributeIndex }) =>
      attributeIndex.devices(whole.nameId, whole.ranges, { limit, offset }),
    );
  }

  async *batches(): AsyncGenerator<readonly Found[]> {
    const hasPatterns = this.#plan.residual.some(({ type }) => type === "$regex");
    const size = hasPatterns ? this.#limits.batchWithPatterns : this.#limits.batch;
    const next = await this.#candidates(size);
    for (let after: string | undefined = ""; after !== undefined; ) {
      const from: string = after;
      const { ids, found } = await this.#storage.read(async (records) => {
        const ids = await next(records, from);
        return { ids, found: await this.#checked(records, ids) };
      });
      this.#options.signal?.throwIfAborted();
      if (found.length > 0) yield found;
      after = ids.length < size ? undefined : ids.at(-1);
    }
  }

  /** Reads the next candidates after an id, in the order of ids. */
  async #candidates(size: number): Promise<(records: Records, after: string) => Promise<readonly string[]>> {
    const { candidates, narrowing } = this.#plan;
    switch (candidates.kind) {
      case "devices":
        return (records, after) => records.devices.idsAfter(narrowing, after, size);
      case "key": {
        const { nameId, key } = candidates;
        return ({ attributeIndex }, after) => attributeIndex.devices(nameId, [{ key }], { after, limit: size });
      }
      case "range": {
        const { nameId, ranges } = candidates;
        const ids = await this.#storage.readOne(({ attributeIndex }) => attributeIndex.devices(nameId, ranges));
        return fromList(ids, size);
      }
      case "text": {
        const { text } = candidates;
        return ({ deviceTexts }, after) => deviceTexts.devices(text, { after, limit: size });
      }
      case "ids":
        return fromList(candidates.ids, size);
    }
  }

  async #checked(records: Records, candidates: readonly string[]): Promise<readonly Found[]> {
    const { narrowing, probes, residual, candidates: source } = this.#plan;
    const isNarrowed = source.kind === "devices" || Object.keys(narrowing).length === 0;
    const isThere = source.kind !== "ids";
    const ids: readonly string[] =
      isNarrowed && isThere && probes.length === 0
        ? candidates
        : await records.devices.meeting(candidates, narrowing, probes);
    const needed = [...residual, ...(this.#options.needed ?? [])];
    const named = this.#named;
    if (needed.length === 0 && named === undefined) return ids.map((id) => ({ id, lookup: () => undefined }));
    if (named === undefined && !needed.some(isDerived)) {
      const lookups = await storedLookups(records, ids, needed);
      return lookups.filter(({ lookup }) => matchesAll(residual, lookup));
    }
    const devices = await records.devices.after({ ids }, "", ids.length);
    const all = await describeDevices(records, devices, named === undefined ? needed : undefined);
    return all
      .filter((device) => named === undefined || isNamed(device, named))
      .map((device) => ({ id: device.id, lookup: lookupIn(device) }))
      .filter(({ lookup }) => matchesAll(residual, lookup));
  }
}

function fromList(
  ids: readonly string[],
  size: number,
): (records: Records, after: string) => Promise<readonly string[]> {
  let start = 0;
  return async () => {
    start += size;
    return ids.slice(start - size, start);
  };
}

/** Devices that meet all conditions, with all attributes, by id. Concurrent changes may or may not be seen. */
export async function* scan(
  storage: Storage,
  wanted: Scanned,
  options: SearchOptions = {},
): AsyncGenerator<DeviceInventory> {
  for await (const batch of (await Scan.of(storage, wanted, options)).batches()) {
    const ids = batch.map(({ id }) => id);
    yield* await storage.read(async (records) =>
      describeDevices(records, await records.devices.after({ ids }, "", ids.length)),
    );
  }
}

/** The number of devices that meet all conditions now. */
export async function countScanned(storage: Storage, wanted: Scanned, options: SearchOptions = {}): Promise<number> {
  const found = await Scan.of(storage, wanted, options);
  if (found.total !== undefined) return found.total;
  let count = 0;
  for await (const batch of found.batches()) count += batch.length;
  return count;
}

/** The number of accepted devices that meet all conditions now. */
export function countAccepted(storage: Storage, terms: readonly FilterTerm[]): Promise<number> {
  const accepted: FilterTerm = { scope: "identity", attribute: "status", type: "$eq", value: "accepted" };
  return countScanned(storage, { terms: [accepted, ...terms] });
}
