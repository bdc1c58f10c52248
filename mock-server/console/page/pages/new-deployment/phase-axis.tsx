import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { exact, shortTime } from "../../parts/text.tsx";
import {
  begunAt,
  DAY_H,
  grownTo,
  HOUR_MS,
  hoursRange,
  type Plan,
  type Range,
  totalRange,
  totals,
} from "./phase-plan.ts";

const WIDTH = 600;
const HEIGHT = 120;
/** Room for texts above and below the drawing. */
const ABOVE = 16;
const BELOW = 18;
const TICKS = 4;

/** Hours by which a key moves a phase. */
function stepOf(endH: number): number {
  return endH > DAY_H ? 1 : 0.25;
}

/** Where the axis ends: some time after the last phase. */
function endOf(phases: Plan): number {
  return Math.max(DAY_H, Math.ceil((phases.at(-1)?.afterHours ?? 0) * 1.25));
}

interface GripProps {
  readonly label: string;
  readonly text: string;
  readonly value: number;
  readonly range: Range;
  /** What an arrow key adds. */
  readonly step: number;
  readonly isVertical: boolean;
  readonly line: { readonly x1: number; readonly x2: number; readonly y1: number; readonly y2: number };
  readonly set: (value: number) => void;
  /** The pointer has moved to there. */
  readonly drag: (event: PointerEvent) => void;
  readonly hold: (isHeld: boolean) => void;
}

/** A line of the drawing that pointer and keyboard can move. */
function Grip({ label, text, value, range, step, isVertical, line, set, drag, hold }: GripProps) {
  const moves: Readonly<Record<string, number>> = {
    ArrowRight: value + step,
    ArrowUp: value + step,
    ArrowLeft: value - step,
    ArrowDown: value - step,
    PageUp: value + 10 * step,
    PageDown: value - 10 * step,
    Home: range.min,
    End: range.max,
  };
  return (
    <g
      class={`grip ${isVertical ? "share" : "start"}`}
      role="slider"
      tabindex={0}
      aria-label={label}
      aria-orientation={isVertical ? "vertical" : "horizontal"}
      aria-valuemin={range.min}
      aria-valuemax={range.max}
      aria-valuenow={value}
      aria-valuetext={text}
      onKeyDown={(event) => {
        const to = moves[event.key];
        if (to === undefined) return;
        event.preventDefault();
        set(to);
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        hold(true);
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) drag(event);
      }}
      onLostPointerCapture={() => hold(false)}
    >
      <line class="reach" {...line} />
      <line {...line} />
    </g>
  );
}

/**
 * The phases on a time axis, where they are edited: the beginning of a phase is moved to the side, the share of devices
 * that may begin by then up and down.
 */
export function EditedPhaseAxis({
  phases,
  startMs,
  change,
}: {
  readonly phases: Plan;
  /** Of the first phase, in milliseconds since the Unix epoch. */
  readonly startMs: number;
  readonly change: (phases: Plan) => void;
}) {
  const svg = useRef<SVGSVGElement>(null);
  // The axis keeps its end while a line is held.
  const heldEnd = useSignal<number | undefined>(undefined);
  const endH = heldEnd.value ?? endOf(phases);
  const step = stepOf(endH);
  const hold = (isHeld: boolean): void => {
    heldEnd.value = isHeld ? endH : undefined;
  };
  const x = (hours: number): number => (hours / endH) * WIDTH;
  const y = (percent: number): number => HEIGHT - (percent / 100) * HEIGHT;
  /** Hours and per cent under the pointer. */
  const placeOf = ({ clientX, clientY }: PointerEvent) => {
    const box = svg.current?.getBoundingClientRect() ?? new DOMRect(0, 0, 1, 1);
    const top = ((clientY - box.top) / box.height) * (ABOVE + HEIGHT + BELOW) - ABOVE;
    const hours = ((clientX - box.left) / box.width) * endH;
    return { hours: Math.round(hours / step) * step, percent: (1 - top / HEIGHT) * 100 };
  };
  const all = totals(phases);
  const begin = (index: number): string => exact(startMs + (phases[index]?.afterHours ?? 0) * HOUR_MS);
  return (
    <svg ref={svg} class="phases edited" viewBox={`0 ${-ABOVE} ${WIDTH} ${ABOVE + HEIGHT + BELOW}`}>
      <title>Phases over time</title>
      {Array.from({ length: TICKS }, (_, tick) => {
        const at = (tick / TICKS) * endH;
        return (
          <g key={tick} class="tick">
            <line x1={x(at)} x2={x(at)} y1={0} y2={HEIGHT} />
            <text x={x(at) + 2} y={HEIGHT + 14}>
              {shortTime(startMs + at * HOUR_MS)}
            </text>
          </g>
        );
      })}
      {phases.map(({ afterHours }, index) => {
        const right = x(phases[index + 1]?.afterHours ?? endH);
        const [left, top, bottom] = [x(afterHours), y(all[index] ?? 0), y(all[index - 1] ?? 0)];
        const number = index + 1;
        return (
          <g key={index}>
            <rect x={left} y={top} width={Math.max(1, right - left)} height={HEIGHT - top} />
            <text x={left + 5} y={top - 4}>
              {all[index]} %
            </text>
            {index > 0 && (
              <Grip
                label={`Phase ${number} begins`}
                text={begin(index)}
                value={afterHours}
                range={hoursRange(phases, index, endH)}
                step={step}
                isVertical={false}
                line={{ x1: left, x2: left, y1: top, y2: bottom }}
                set={(hours) => change(begunAt(phases, index, hours, Number.POSITIVE_INFINITY))}
                drag={(event) => change(begunAt(phases, index, placeOf(event).hours, endH))}
                hold={hold}
              />
            )}
            {index < phases.length - 1 && (
              <Grip
                label={`Devices by phase ${number}`}
                text={`${all[index]} %`}
                value={all[index] ?? 0}
                range={totalRange(phases, index)}
                step={1}
                isVertical
                line={{ x1: left, x2: Math.max(left + 8, right), y1: top, y2: top }}
                set={(percent) => change(grownTo(phases, index, percent))}
                drag={(event) => change(grownTo(phases, index, placeOf(event).percent))}
                hold={hold}
              />
            )}
          </g>
        );
      })}
    </svg>
  );
}
