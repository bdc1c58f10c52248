import type { Migration, MigrationProvider } from "kysely";
import { first } from "./0001-first.ts";
import { rollouts } from "./0002-rollouts.ts";
import { fleet } from "./0003-fleet.ts";
import { people } from "./0004-people.ts";
import { events } from "./0005-events.ts";
import { preparing } from "./0006-preparing.ts";
import { ending } from "./0007-ending.ts";
import { groupEnds } from "./0008-group-ends.ts";
import { groups } from "./0009-groups.ts";
import { silence } from "./0010-silence.ts";
import { standing } from "./0011-standing.ts";
import { deviceCounts } from "./0012-device-counts.ts";
import { hearing } from "./0013-hearing.ts";
import { absence } from "./0014-absence.ts";
import { plainNames } from "./0015-plain-names.ts";
import { tiers } from "./0016-tiers.ts";
import { failures } from "./0017-failures.ts";
import { states } from "./0018-states.ts";
import { retries } from "./0019-retries.ts";
import { contacts } from "./0020-contacts.ts";
import { attributeIndex } from "./0021-attribute-index.ts";
import { deltas } from "./0022-deltas.ts";
import { deviceTexts } from "./0023-device-texts.ts";
import { adaptive } from "./0024-adaptive.ts";
import { preparations } from "./0025-preparations.ts";
import { textsWithoutIds } from "./0026-texts-without-ids.ts";

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-first": first,
  "0002-rollouts": rollouts,
  "0003-fleet": fleet,
  "0004-people": people,
  "0005-events": events,
  "0006-preparing": preparing,
  "0007-ending": ending,
  "0008-group-ends": groupEnds,
  "0009-groups": groups,
  "0010-silence": silence,
  "0011-standing": standing,
  "0012-device-counts": deviceCounts,
  "0013-hearing": hearing,
  "0014-absence": absence,
  "0015-plain-names": plainNames,
  "0016-tiers": tiers,
  "0017-failures": failures,
  "0018-states": states,
  "0019-retries": retries,
  "0020-contacts": contacts,
  "0021-attribute-index": attributeIndex,
  "0022-deltas": deltas,
  "0023-device-texts": deviceTexts,
  "0024-adaptive": adaptive,
  "0025-preparations": preparations,
  "0026-texts-without-ids": textsWithoutIds,
};

/** Every change of the tables, by number. One that was released is never edited; a new one is added. */
export const migrations: MigrationProvider = {
  getMigrations: async () => ({ ...MIGRATIONS }),
};
