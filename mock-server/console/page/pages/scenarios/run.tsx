import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ScenarioLine } from "../../../../api-types/scenario-line.ts";
import { reasonOf } from "../../api.ts";
import { Section, TableHead } from "../../parts/frame.tsx";
import { Status } from "../../parts/status.tsx";
import { duration } from "../../parts/text.tsx";
import { follow } from "./control.ts";

const EXAMPLE = `scenario: The power goes while the update is being installed
why: The device must come back with what it had, and say so.
fleet:
  - name: d
    module: { takes: 2m }
releases:
  - name: v2
deployments:
  - { name: first, release: v2, to: [d] }
faults:
  - power_cut: { during: ArtifactInstall, leaves: torn }
expect:
  - device: d
    statuses: [downloading, installing, failure]
    runs: v1
  - { deployment: first, statistics: { failure: 1 }, state: finished }
`;

/** How a line of the story looks. */
const LOOKS: Readonly<Record<string, string>> = {
  good: "good",
  bad: "bad",
  fault: "waiting",
  action: "busy",
  faint: "idle",
};

/** One case of a scenario file. */
interface Case {
  readonly begins: Extract<ScenarioLine, { kind: "begins" }>;
  readonly story: readonly Extract<ScenarioLine, { kind: "happens" }>[];
  readonly ends?: Extract<ScenarioLine, { kind: "ends" }>;
}

function withLine(one: Case, line: ScenarioLine): Case {
  if (line.kind === "happens") return { ...one, story: [...one.story, line] };
  return line.kind === "ends" ? { ...one, ends: line } : one;
}

/** The cases with more lines. */
function told(cases: readonly Case[], lines: readonly ScenarioLine[]): readonly Case[] {
  const all = [...cases];
  for (const line of lines) {
    const last = line.kind === "begins" ? { begins: line, story: [] } : all.pop();
    if (last !== undefined) all.push(withLine(last, line));
  }
  return all;
}

function Expectations({ begins: { expected }, ends }: Case) {
  return (
    <table>
      <TableHead titles={["Expected", "So far"]} />
      <tbody>
        {(ends?.verdicts ?? expected.map((one) => ({ expected: one, met: undefined, got: "" }))).map(
          ({ expected: what, met, got }, index) => (
            <tr key={index}>
              <td class="value">{what}</td>
              <td class="value">
                {met === undefined ? (
                  <Status of="pending">it runs</Status>
                ) : (
                  <Status of={met ? "success" : "failure"}>{met ? "met" : got}</Status>
                )}
              </td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  );
}

function Story({ story }: Pick<Case, "story">) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by the keyboard
    <div class="log" tabIndex={0} role="log" aria-label="What happens">
      {story.map(({ at_ms, device, text, tone }, index) => (
        <div key={index} class="line">
          <span class="time">{duration(at_ms)}</span> {device !== undefined && <b>{device} </b>}
          <span class={LOOKS[tone] ?? ""}>{text}</span>
        </div>
      ))}
    </div>
  );
}

/** A scenario is run in virtual time, and watched beside what it expects. */
export function RunSection() {
  const text = useSignal(EXAMPLE);
  const cases = useSignal<readonly Case[]>([]);
  const fault = useSignal("");
  const isBusy = useSignal(false);
  const left = useSignal(new AbortController());
  // The run ends with the page.
  useEffect(() => () => left.value.abort(), [left]);
  const run = async (): Promise<void> => {
    isBusy.value = true;
    fault.value = "";
    cases.value = [];
    try {
      await follow(
        text.value,
        (lines) => {
          cases.value = told(cases.value, lines);
          const broken = lines.find((line) => line.kind === "breaks");
          if (broken !== undefined) fault.value = broken.error;
        },
        left.value.signal,
      );
    } catch (error) {
      fault.value = reasonOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Section
      title="Run a scenario"
      actions={
        <label class="button">
          Open a file
          <input
            class="unseen"
            type="file"
            accept=".yaml,.yml"
            onChange={async ({ currentTarget }) => {
              text.value = (await currentTarget.files?.[0]?.text()) ?? text.value;
            }}
          />
        </label>
      }
    >
      <p class="hint">
        It runs in virtual time, with devices and a server of its own: nothing of this server changes. With real
        programs: <code>upkeep-server scenario run --real FILE</code>
      </p>
      <textarea
        class="file"
        aria-label="Scenario"
        rows={17}
        spellcheck={false}
        value={text}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
        }}
      />
      <div class="actions">
        <button type="button" class="primary" disabled={isBusy.value} onClick={() => void run()}>
          Run
        </button>
      </div>
      <pre class="fault" role="alert">
        {fault.value}
      </pre>
      {cases.value.map((one, index) => (
        <article key={index}>
          <h3>
            {one.begins.scenario}{" "}
            <Status of={one.ends === undefined ? "inprogress" : one.ends.outcome === "passed" ? "success" : "failure"}>
              {one.ends === undefined ? "it runs" : one.ends.outcome}
            </Status>{" "}
            {one.ends !== undefined && <span class="hint">{duration(one.ends.simulated_ms)} of its time</span>}
          </h3>
          <p class="hint">{one.begins.why}</p>
          <div class="side-by-side">
            <Story story={one.story} />
            <Expectations {...one} />
          </div>
        </article>
      ))}
    </Section>
  );
}
