import { useEffect } from "preact/hooks";
import { call } from "../../api.ts";
import { pageUrl } from "../../parts/address.ts";
import { Loaded, Section } from "../../parts/frame.tsx";
import type { Tone } from "../../parts/status.tsx";
import { exact, plural, size } from "../../parts/text.tsx";
import { useResource } from "../../resource.ts";
import { bodyOf, type Draft, missingIn, targetOf } from "./draft.ts";

const PREVIEW = "/api/management/v1/deployments/deployments/preview";

type PreviewResult = Awaited<ReturnType<typeof preview>>;
type Outcome = PreviewResult["outcomes"][number]["outcome"];

const OUTCOMES: Readonly<Record<Outcome, { readonly text: string; readonly tone: Tone }>> = {
  artifact: { text: "get", tone: "good" },
  "already-installed": { text: "have it already:", tone: "idle" },
  "no-artifact": { text: "get nothing: no artifact of this release fits", tone: "bad" },
  "unknown-device-type": { text: "have not told their type yet", tone: "waiting" },
  "older-deployment": { text: "wait for an older deployment:", tone: "waiting" },
  "not-accepted": { text: "are not accepted, and get nothing", tone: "waiting" },
};

async function preview(draft: Draft, signal: AbortSignal) {
  return (await call("post", PREVIEW, { body: { ...bodyOf(draft, Date.now()), ...targetOf(draft) }, signal })).data;
}

function Outcomes({ of: { target_count, outcomes } }: { readonly of: PreviewResult }) {
  return (
    <>
      <p>
        <strong>{plural(target_count, "device")}</strong> {target_count === 1 ? "is" : "are"} meant.
      </p>
      <ul class="outcomes">
        {outcomes.map(({ outcome, artifact, device_type, deployment_id, count }) => {
          const { text, tone } = OUTCOMES[outcome];
          return (
            <li key={`${outcome} ${artifact?.id} ${device_type} ${deployment_id}`}>
              <span class={`status ${tone}`}>{count.toLocaleString("en")}</span>{" "}
              {device_type !== undefined && <b>{device_type}</b>} {text}{" "}
              {artifact !== undefined && `${artifact.name} (${size(artifact.size)})`}
              {deployment_id !== undefined && <a href={pageUrl(`/deployments/${deployment_id}`)}>that one</a>}
            </li>
          );
        })}
      </ul>
    </>
  );
}

/** Which devices would get what, as the selection decides it. */
export function Preview({
  draft,
  tell,
}: {
  readonly draft: Draft;
  /** Told how many devices are shown. */
  readonly tell: (count: number | undefined) => void;
}) {
  const missing = missingIn(draft);
  const shown = useResource(
    JSON.stringify(draft),
    async (signal) => (missing === undefined ? await preview(draft, signal) : undefined),
    ["device", "deployment", "artifact"],
  );
  const count = shown.data?.target_count;
  useEffect(() => tell(count), [count]);
  return (
    <Section title="What happens">
      {missing !== undefined ? (
        <p class="hint">{missing}</p>
      ) : (
        <Loaded from={shown}>
          {(result) =>
            result !== undefined && (
              <>
                <Outcomes of={result} />
                {(result.phases.length > 1 || draft.startMs !== undefined) && (
                  <ol>
                    {result.phases.map(({ batch_size, places, start_ts }, index) => (
                      <li key={index}>
                        {batch_size} % ({plural(places, "device")}),{" "}
                        {start_ts === undefined ? "at once" : `from ${exact(Date.parse(start_ts))}`}
                      </li>
                    ))}
                  </ol>
                )}
              </>
            )
          }
        </Loaded>
      )}
    </Section>
  );
}
