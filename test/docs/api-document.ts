import { join } from "node:path";
import type { OpenApiDocument } from "../../mock-server/api/openapi/document.ts";
import { startServer } from "../../mock-server/testing/index.ts";

/** The types of the management API, for its clients in this tree. */
export const API_TYPES = join(import.meta.dirname, "../../mock-server/api-types/paths.ts");

/** The API document as a server gives it. */
export async function apiDocument(): Promise<OpenApiDocument> {
  await using server = await startServer();
  const answer = await server.handle(new Request(`${server.url}/api/openapi.json`));
  return (await answer.json()) as OpenApiDocument;
}
