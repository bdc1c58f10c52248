import type { Listed } from "../api.ts";
import { pageUrl } from "./address.ts";
import { Time } from "./text.tsx";

type Waiting = NonNullable<Listed<"/api/management/v1/deployments/deployments/{id}/devices/list">["waiting_for"]>;

const TEXTS: Readonly<Record<Waiting["kind"], string>> = {
  acceptance: "waits to be accepted",
  "older-deployment": "an older deployment comes first",
  nothing: "asks no more for this deployment",
  resume: "waits until the deployment is resumed",
  phase: "waits for its phase",
  poll: "has not asked",
  retry: "tries again at its next poll",
};

/** What a device waits for, that has no instructions yet. */
export function WaitingFor({ waiting }: { readonly waiting: Waiting }) {
  const { kind, deployment_id, start_ts, since } = waiting;
  return (
    <div class="hint">
      {deployment_id === undefined ? TEXTS[kind] : <a href={pageUrl(`/deployments/${deployment_id}`)}>{TEXTS[kind]}</a>}
      {start_ts !== undefined && (
        <>
          , <Time at={start_ts} />
        </>
      )}
      {since !== undefined && (
        <>
          {" "}
          since <Time at={since} />
        </>
      )}
    </div>
  );
}
