import type { Ctl } from "../context.ts";
import { type Deployment, deploymentColumns } from "../deployments.ts";

interface ListOptions {
  readonly status?: "pending" | "inprogress" | "finished";
  readonly limit?: number;
}

const LIMIT = 20;
const PER_PAGE = 500;

/** Lists deployments, newest first. */
export async function deploymentsList({ status, limit = LIMIT }: ListOptions, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const found: Deployment[] = [];
  const query = status === undefined ? {} : { status };
  const perPage = limit > 0 ? Math.min(limit, PER_PAGE) : PER_PAGE;
  for await (const page of api.pages("/api/management/v1/deployments/deployments", { query, perPage })) {
    found.push(...page);
    if (limit > 0 && found.length >= limit) break;
  }
  const shown = limit > 0 ? found.slice(0, limit) : found;
  const empty =
    status === undefined
      ? "There are no deployments; 'upkeepctl deploy RELEASE --to all' makes one."
      : `No deployment is ${status}.`;
  ctl.printTable(shown, deploymentColumns(shown, ctl.system.clock.now()), empty);
}
