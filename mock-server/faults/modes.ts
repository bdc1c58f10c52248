/**
 * How a scenario can be run: `simulated` in virtual time; `real` with processes and sockets of this machine;
 * `attached` with a device of which only the server's side is in our hands.
 */
export const RUN_MODES = ["simulated", "real", "attached"] as const;
export type RunMode = (typeof RUN_MODES)[number];

/** For each mode: true, or why it cannot be done there. */
export type Support = Readonly<Record<RunMode, true | string>>;

export const EVERYWHERE: Support = { simulated: true, real: true, attached: true };

/** What happens inside the device. */
export const INSIDE_THE_DEVICE: Support = {
  simulated: true,
  real: true,
  attached: "it happens inside the device, which is not in our hands",
};

/** What only a simulated machine does at will. */
export const SIMULATED_ONLY: Support = {
  simulated: true,
  real: "no process of this machine can be made to do it",
  attached: "it happens inside the device, which is not in our hands",
};
