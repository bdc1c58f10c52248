import { call, type Listed } from "../api.ts";
import { pageUrl, useQuery } from "../parts/address.ts";
import { Empty, Loaded, Pager, TableHead } from "../parts/frame.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { Status, StatusBar, statusText } from "../parts/status.tsx";
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
  const { query, change } = useQuery("/deployments");
  const { status = "", q = "" } = query;
  const page = Math.max(1, Number(query.page) || 1);
  const list = useResource(
    [status, q, page].join("\n"),
    (signal) => {
      const chosen = STATUSES.find((one) => one === status);
      const search = { page, per_page: PER_PAGE, ...(chosen ? { status: chosen } : {}), ...(q ? { search: q } : {}) };
      return call("get", PATH, { query: search, signal });
    },
    ["deployment", "device_deployment"],
  );
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
        <SearchBox label="Search deployments" value={q} search={(text) => change({ q: text, page: undefined })} />
        <select
          aria-label="Status"
          value={status}
          onChange={({ currentTarget }) => change({ status: currentTarget.value, page: undefined })}
        >
          <option value="">Any status</option>
          {STATUSES.map((one) => (
            <option key={one} value={one}>
              {statusText(one)}
            </option>
          ))}
        </select>
      </search>
      <Loaded from={list}>
        {({ data, total }) =>
          data.length === 0 ? (
            <Empty title={q + status === "" ? "There is no deployment yet" : "No deployment matches"}>
              <p>
                {q + status === "" ? (
                  <a href={pageUrl("/releases")}>Upload a release, and deploy it</a>
                ) : (
                  <a href={pageUrl("/deployments")}>Show all</a>
                )}
              </p>
            </Empty>
          ) : (
            <>
              <table class="wide">
                <TableHead titles={["Deployment", "Status", "Devices", "Created", "Finished"]} />
                <tbody>
                  {data.map((deployment) => (
                    <Row key={deployment.id} deployment={deployment} />
                  ))}
                </tbody>
              </table>
              <Pager
                page={page}
                perPage={PER_PAGE}
                total={total}
                hrefOf={(to) => pageUrl("/deployments", { ...query, page: to })}
              />
            </>
          )
        }
      </Loaded>
    </>
  );
}
