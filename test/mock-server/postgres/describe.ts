import { describe, it } from "vitest";
import { POSTGRES_MISSING, postgresPrograms } from "./server.ts";

/** Tests that need PostgreSQL: skipped where it is not installed, except in CI, where that is a failure. */
export function describePostgres(title: string, body: () => void): void {
  if (postgresPrograms() !== undefined) describe(title, body);
  else if (!process.env.CI) describe.skip(`${title} (${POSTGRES_MISSING})`, body);
  else
    describe(title, () => {
      it("runs in CI", () => {
        throw new Error(POSTGRES_MISSING);
      });
    });
}
