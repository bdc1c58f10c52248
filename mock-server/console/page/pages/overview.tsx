import { call, type Listed } from "../api.ts";
import { pageUrl, SERVER_URL } from "../parts/address.ts";
import { FailureList } from "../parts/failures.tsx";
import { Command, Empty, Loaded, Section } from "../parts/frame.tsx";
import { Status, StatusBar, statusText } from "../parts/status.tsx";
import { plural, Time } from "../parts/text.tsx";
import { useResource } from "../resource.ts";

const DEPLOYMENTS = "/api/management/v1/deployments/deployments";
type Deployment = Listed<typeof DEPLOYMENTS>;

const TILES = ["accepted", "pending", "rejected", "preauthorized", "noauth"] as const;
/** Failures are counted since so long ago, in seconds. */
const LATELY_S = 7 * 86_400;

async function countDevices(signal: AbortSignal) {
  const counts = TILES.map(async (status) => {
    const { data } = await call("get", "/api/management/v2/devauth/devices/count", { query: { status }, signal });
    return { status, count: data.count };
  });
  return await Promise.all(counts);
}

async function deployments(status: "inprogress" | "pending", signal: AbortSignal) {
  const { data } = await call("get", DEPLOYMENTS, { query: { status, per_page: 20 }, signal });
  return data;
}

function Tiles() {
  const counts = useResource("devices", countDevices, ["device", "auth_set"]);
  return (
    <Loaded from={counts}>
      {(tiles) => (
        <>
          <ul class="tiles">
            {tiles.map(({ status, count }) => (
              <li key={status}>
                <a class="tile" href={pageUrl("/devices", { status })}>
                  <strong>{count.toLocaleString("en")}</strong>
                  <Status of={status} />
                </a>
              </li>
            ))}
          </ul>
          {tiles.every(({ count }) => count === 0) && <NoDevices />}
        </>
      )}
    </Loaded>
  );
}

/** What connects the first device. */
export function NoDevices() {
  return (
    <Empty title="No device has asked yet">
      <p>On a device with the Debian package of the agent:</p>
      <Command text={`sudo upkeep setup --device-type my-board --server-url ${SERVER_URL}`} />
      <p>It appears here as pending, to be accepted.</p>
    </Empty>
  );
}

function Running({ shown }: { readonly shown: readonly Deployment[] }) {
  return (
    <ul class="rows">
      {shown.map(({ id, name, artifact_name, statistics, created }) => (
        <li key={id}>
          <a href={pageUrl(`/deployments/${id}`)}>
            <strong>{name}</strong> <span class="hint">{artifact_name}</span>
          </a>
          <Time at={created} />
          <StatusBar counts={statistics.status} />
        </li>
      ))}
    </ul>
  );
}

async function failuresLately(signal: AbortSignal) {
  const since = Math.floor(Date.now() / 1000) - LATELY_S;
  return (await call("get", "/api/management/v1/deployments/failures", { query: { since }, signal })).data;
}

export function OverviewPage() {
  const running = useResource("running", (signal) => deployments("inprogress", signal), [
    "deployment",
    "device_deployment",
  ]);
  const waiting = useResource("waiting", (signal) => deployments("pending", signal), ["deployment"]);
  const failures = useResource("failures", failuresLately, ["device_deployment", "deployment_log"]);
  return (
    <>
      <h1>Overview</h1>
      <Tiles />
      <Section title="Running" actions={<a href={pageUrl("/deployments/new")}>New deployment</a>}>
        <Loaded from={running}>
          {(shown) => (shown.length === 0 ? <p class="hint">No deployment is running.</p> : <Running shown={shown} />)}
        </Loaded>
        {(waiting.data?.length ?? 0) > 0 && (
          <p class="hint">
            {plural(waiting.data?.length ?? 0, "deployment")} {statusText("pending")}:{" "}
            <a href={pageUrl("/deployments", { status: "pending" })}>see what waits</a>
          </p>
        )}
      </Section>
      <Section title="Failures of the last seven days">
        <Loaded from={failures}>{(list) => <FailureList failures={list} />}</Loaded>
      </Section>
    </>
  );
}
