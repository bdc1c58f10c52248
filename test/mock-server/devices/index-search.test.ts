import { expect, inject, test } from "vitest";
import { Storage } from "../../../mock-server/storage/index.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";
import { makeRecords, RECORDS_KIND } from "../records-fixture.ts";
import { compareSearches } from "./compared-searches.ts";

test("A search by the index finds, counts and orders what looking at every device does", async () => {
  const made = await makeRecords(RECORDS_KIND, RECORDS_KIND === "postgres" ? inject("postgresUrl") : undefined);
  const storage = await Storage.open(made.location, new NodeFiles());
  try {
    await expect(compareSearches(storage, 60)).resolves.toBeUndefined();
  } finally {
    await storage.close();
    await made.remove();
  }
});
