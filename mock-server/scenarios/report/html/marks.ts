/** Kinds of marks at a moment of a lane; each has its own shape. */
export const MARKS = {
  fault: "fault",
  power: "power cut, reboot or end of the agent",
  boot: "boots",
  runs: "new software runs",
  action: "an action of the timeline",
  failure: "not as expected",
} as const;

export type MarkKind = keyof typeof MARKS;

const number = (value: number): string => `${Math.round(value * 10) / 10}`;

/** The shape of a mark, about ten units wide, around this point. */
export function markShape(kind: MarkKind, x: number, y: number): string {
  const at = (dx: number, dy: number): string => `${number(x + dx)} ${number(y + dy)}`;
  const path = (...points: readonly (readonly [number, number])[]): string =>
    `<path class="m-${kind}" d="M${points.map(([dx, dy]) => at(dx, dy)).join("L")}Z"/>`;
  switch (kind) {
    case "fault":
      return path([0, -5], [5, 4], [-5, 4]);
    case "power":
      return path([2, -6], [-4, 1], [0, 1], [-2, 6], [4, -1], [0, -1]);
    case "boot":
      return path([-3, -5], [5, 0], [-3, 5]);
    case "runs":
      return `<circle class="m-runs" cx="${number(x)}" cy="${number(y)}" r="4.5"/>`;
    case "action":
      return path([0, -5.5], [5.5, 0], [0, 5.5], [-5.5, 0]);
    case "failure":
      return path(
        [-5, -3],
        [-3, -5],
        [0, -2],
        [3, -5],
        [5, -3],
        [2, 0],
        [5, 3],
        [3, 5],
        [0, 2],
        [-3, 5],
        [-5, 3],
        [-2, 0],
      );
  }
}
