/**
 * How a scenario can be run: `simulated` in virtual time; `real` with processes and sockets of this machine;
 * `attached` with a device on the desk, of which only the server's side can be changed.
 */
export const RUN_MODES = ["simulated", "real", "attached"] as const;
export type RunMode = (typeof RUN_MODES)[number];

/** Where a fault can be had: in each way to run a scenario, and through the control API of a running server. */
export const PLACES = [...RUN_MODES, "control"] as const;
export type Place = (typeof PLACES)[number];

/** For each place: true, or the reason why the fault is not possible there. */
export type Support = Readonly<Record<Place, true | string>>;

const ONLY_THE_SERVERS_SIDE = "it happens inside the device, which is not in our hands";

export const EVERYWHERE: Support = { simulated: true, real: true, attached: true, control: true };

/** Happens inside a device that the scenario runs itself. */
export const INSIDE_THE_DEVICE: Support = {
  simulated: true,
  real: true,
  attached: ONLY_THE_SERVERS_SIDE,
  control: ONLY_THE_SERVERS_SIDE,
};

/** Only a simulated machine can do it. @param real Why a process of this machine cannot. */
export function simulatedOnly(real = "no process of this machine can be made to do it"): Support {
  return { ...INSIDE_THE_DEVICE, real };
}
