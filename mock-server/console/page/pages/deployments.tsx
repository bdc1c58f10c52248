import { call, type Listed } from "../api.ts";
import { pageUrl, SERVER_URL } from "../parts/address.ts";
import { Command, Empty, TableHead } from "../parts/frame.tsx";
import { List, ListChoice, ListSearch, useList } from "../parts/list.tsx";
import { Status, StatusBar } from "../parts/status.tsx";
import { plural, Time } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";

const PATH = "/api/management/v2/deployments/deployments";
type Deployment = Listed<typeof PATH>;

const PER_PAGE = 20;
const STATUSES = ["inprogress", "pending", "scheduled", "finished"] as const;

function Row({ deployment }: { readonly deployment: Deployment }) {
  const { id, name, artifact_name, status, created, finished, statistics, paused, phases = [] } = deployment;
  return (
    <tr>
      <td data-label="Deployment">
        <a href={pageUrl(`/deployments/${id}`)}>{name}</a>
        <div class="hint">
          {artifact_name}
          {phases.length > 1 && `, ${plural(phases.length, "phase")}`}
        </div>
      </td>
      <td data-label="Status">
        <Status of={status}>{paused ? "paused" : undefined}</Status>
      </td>
      <td data-label="Devices">
        <StatusBar counts={statistics.status} />
      </td>
      <td data-label="Created">
        <Time at={created} />
      </td>
      <td data-label="Finished">
        <Time at={finished} />
      </td>
    </tr>
  );
}

export function DeploymentsPage() {
  const list = useList("/deployments");
  const { status = "", q = "" } = list.query;
  const found = useResource(
    [status, q, list.page].join("\n"),
    (signal) => {
      const chosen = STATUSES.find((one) => one === status);
      const narrowing = { ...(chosen ? { status: chosen } : {}), ...(q ? { search: q } : {}) };
      return call("get", PATH, { query: { page: list.page, per_page: PER_PAGE, ...narrowing }, signal });
    },
    ["deployment", "device_deployment"],
    { isKept: true },
  );
  const isNarrowed = q + status !== "";
  return (
    <>
      <header class="title">
        <h1>Deployments</h1>
        {mayWrite() && (
          <a class="button primary" href={pageUrl("/deployments/new")}>
            New deployment
          </a>
        )}
      </header>
      <search class="filters">
        <ListSearch list={list} label="Search deployments" found={found} />
        <ListChoice list={list} name="status" options={STATUSES} />
      </search>
      <List
        list={list}
        from={found}
        perPage={PER_PAGE}
        noun="deployment"
        head={() => <TableHead titles={["Deployment", "Status", "Devices", "Created", "Finished"]} />}
        row={(deployment) => <Row key={deployment.id} deployment={deployment} />}
        empty={
          <Empty title={isNarrowed ? "No deployment matches" : "There is no deployment yet"}>
            {isNarrowed ? (
              <p>
                <a href={pageUrl("/deployments")}>Show all</a>
              </p>
            ) : (
              <>
                <p>
                  <a href={pageUrl("/releases")}>Upload a release, and deploy it</a>, or from a terminal:
                </p>
                <Command text={`upkeepctl --server ${SERVER_URL} deploy release-1 --to all`} />
              </>
            )}
          </Empty>
        }
      />
    </>
  );
}
