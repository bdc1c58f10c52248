import { exact, zoneText } from "../../parts/text.tsx";
import { EditedPhaseAxis } from "./phase-axis.tsx";
import { changed, type DraftPhase, HOUR_MS, type Plan, split, without } from "./phase-plan.ts";

/** A number of per cent that may be absent. */
function Threshold({
  label,
  value,
  set,
}: {
  readonly label: string;
  readonly value: number | undefined;
  readonly set: (value: number | undefined) => void;
}) {
  return (
    <input
      type="number"
      aria-label={label}
      min="1"
      max="100"
      placeholder="–"
      value={value ?? ""}
      onInput={({ currentTarget }) => set(currentTarget.value === "" ? undefined : currentTarget.valueAsNumber)}
    />
  );
}

function PhaseRow({
  phases,
  index,
  startMs,
  change,
}: {
  readonly phases: Plan;
  readonly index: number;
  readonly startMs: number;
  readonly change: (phases: Plan) => void;
}) {
  const { percent, afterHours, errorPercent, successPercent } = phases[index] ?? { percent: 0, afterHours: 0 };
  const isLast = index === phases.length - 1;
  const set = (part: Partial<DraftPhase>): void => change(changed(phases, index, part));
  const name = `phase ${index + 1}`;
  return (
    <tr>
      <td data-label="Phase">{index + 1}</td>
      <td data-label="Per cent">
        {isLast ? (
          percent
        ) : (
          <input
            type="number"
            aria-label={`Per cent of ${name}`}
            min="1"
            max="99"
            value={percent}
            onInput={({ currentTarget }) => set({ percent: Number(currentTarget.value) })}
          />
        )}
      </td>
      <td data-label="Hours later">
        <div>
          {index === 0 ? (
            0
          ) : (
            <input
              type="number"
              aria-label={`Hours until ${name}`}
              min="0"
              step="any"
              value={afterHours}
              onInput={({ currentTarget }) => set({ afterHours: Number(currentTarget.value) })}
            />
          )}
          <div class="hint">{exact(startMs + afterHours * HOUR_MS)}</div>
        </div>
      </td>
      <td data-label="Pause at % failed">
        <Threshold
          label={`Per cent of failures that pause ${name}`}
          value={errorPercent}
          set={(to) => set({ errorPercent: to })}
        />
      </td>
      <td data-label="Next needs % success">
        {!isLast && (
          <Threshold
            label={`Per cent of successes that end ${name}`}
            value={successPercent}
            set={(to) => set({ successPercent: to })}
          />
        )}
      </td>
      <td class="actions">
        {phases.length > 1 && (
          <button type="button" aria-label={`Remove ${name}`} onClick={() => change(without(phases, index))}>
            ✕
          </button>
        )}
      </td>
    </tr>
  );
}

/** The phases of a deployment: drawn on a time axis, and as numbers beneath it. */
export function PhaseEditor({
  phases,
  startMs,
  change,
}: {
  readonly phases: Plan;
  readonly startMs: number;
  readonly change: (phases: Plan) => void;
}) {
  return (
    <fieldset>
      <legend>Phases</legend>
      {phases.length > 1 && <EditedPhaseAxis phases={phases} startMs={startMs} change={change} />}
      <table class="wide numbers">
        <thead>
          <tr>
            <th scope="col">Phase</th>
            <th scope="col">Per cent</th>
            <th scope="col">Hours later</th>
            <th scope="col" title="As many failures pause the deployment. Empty: none do.">
              Pause at % failed
            </th>
            <th scope="col" title="As many successes are needed before the next phase opens. Empty: none are.">
              Next needs % success
            </th>
            <th scope="col">
              <span class="unseen">Remove</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {phases.map((_, index) => (
            <PhaseRow key={index} phases={phases} index={index} startMs={startMs} change={change} />
          ))}
        </tbody>
      </table>
      <p class="hint">
        Times are those of {zoneText(startMs)}; the server gets them in UTC.
        {phases.length === 1 && " All devices may begin at once."}
      </p>
      <button type="button" onClick={() => change(split(phases))}>
        {phases.length === 1 ? "Begin with a part of the devices" : "Add a phase"}
      </button>
    </fieldset>
  );
}
