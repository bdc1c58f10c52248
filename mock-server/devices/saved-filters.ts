import { given } from "@upkeep/shared/given";
import type { Clock, Random } from "@upkeep/shared/system";
import { DomainError, invalid } from "../errors.ts";
import type { Page, Paging, Records, SavedFilterRecord, Storage } from "../storage/index.ts";
import type { DeviceInventory } from "./attributes.ts";
import { checkTerms, type FilterTerm, type UncheckedTerm } from "./filters/terms.ts";
import { searchDevices } from "./search.ts";

/** A dynamic group: the devices that meet all conditions now. */
export interface SavedFilter {
  readonly id: string;
  readonly name: string;
  readonly terms: readonly FilterTerm[];
}

const NAME_MAX = 256;

export class SavedFilters {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };

  constructor(storage: Storage, system: { readonly clock: Clock; readonly random: Random }) {
    this.#storage = storage;
    this.#system = system;
  }

  /**
   * @returns The id of the new filter.
   * @throws DomainError (invalid) if a condition is malformed, or there is none; (filter-name-taken)
   */
  async create(name: string, terms: readonly UncheckedTerm[]): Promise<string> {
    if (name === "" || name.length > NAME_MAX) throw invalid(`name: must have 1 to ${NAME_MAX} characters`);
    if (terms.length === 0) throw invalid("at least one filter term must be provided");
    const checked = checkTerms(terms, "terms");
    return this.#storage.transaction(async ({ savedFilters }) => {
      if ((await savedFilters.findByName(name)) !== undefined) throw new DomainError("filter-name-taken", { name });
      const id = this.#system.random.uuid();
      await savedFilters.insert({
        id,
        name,
        terms_json: JSON.stringify(checked),
        created_ms: this.#system.clock.now(),
      });
      return id;
    });
  }

  /** By time of creation. */
  list(paging: Paging): Promise<Page<SavedFilter>> {
    return this.#storage.read(async ({ savedFilters }) => {
      const { items, total } = await savedFilters.list(paging);
      return { items: items.map(present), total };
    });
  }

  /** @throws DomainError (not-found) */
  get(id: string): Promise<SavedFilter> {
    return this.#storage.read((records) => findFilter(records, id));
  }

  /** Devices that meet the conditions now, of any status. @throws DomainError (not-found) */
  async search(id: string, paging: Paging, signal?: AbortSignal): Promise<Page<DeviceInventory>> {
    const { terms } = await this.get(id);
    return searchDevices(this.#storage, { terms }, paging, given({ signal }));
  }

  /** Deployments that were created for it keep their copy. @throws DomainError (not-found) */
  delete(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      await findFilter(records, id);
      await records.savedFilters.delete(id);
    });
  }
}

/** @throws DomainError (not-found) */
export async function findFilter({ savedFilters }: Records, id: string): Promise<SavedFilter> {
  const record = await savedFilters.find(id);
  if (record === undefined) throw new DomainError("filter-not-found");
  return present(record);
}

function present({ id, name, terms_json }: SavedFilterRecord): SavedFilter {
  return { id, name, terms: JSON.parse(terms_json) as FilterTerm[] };
}
