import type { Ctl } from "../context.ts";
import { filterText } from "../filter.ts";
import type { SavedFilter } from "../groups.ts";
import { shortIds } from "../output/texts.ts";

/** Lists saved filters. */
export async function filtersList(_: object, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const filters: SavedFilter[] = [];
  for await (const page of api.pages("/api/management/v2/inventory/filters")) filters.push(...page);
  const short = shortIds(filters.map(({ id }) => id));
  ctl.printTable(
    filters,
    [
      { title: "ID", text: ({ id }) => short(id) },
      { title: "FILTER", text: ({ name }) => name, least: 8 },
      { title: "CONDITIONS", text: ({ terms }) => filterText(terms), least: 12 },
    ],
    "There are no filters; 'upkeepctl filters create NAME CONDITIONS' saves one.",
  );
}
