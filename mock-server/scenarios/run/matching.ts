import { ANY_DEVICE, type DeploymentState, type EventParts } from "../file/index.ts";
import type { DeploymentView, RunEvent } from "./events.ts";

/** True if a deployment is in this state. A paused one has its status besides. */
export function isInState({ status, paused }: DeploymentView, state: DeploymentState): boolean {
  return state === "paused" ? paused !== undefined && status !== "finished" : status === state;
}

/** Recognises an event of the file. It must see all events, in order. */
export class EventMatcher {
  readonly #parts: EventParts;
  /** How much of an artifact each device has received. */
  readonly #received = new Map<string, number>();
  /** The deployments that are in the state of the event. */
  readonly #inState = new Set<string>();

  constructor(parts: EventParts) {
    this.#parts = parts;
  }

  /** True if `event` is it. */
  matches(event: RunEvent): boolean {
    const { device, deployment } = this.#parts;
    if (device !== undefined && device !== ANY_DEVICE && (!("device" in event) || event.device !== device))
      return false;
    if (deployment !== undefined && "deployment" in event && event.deployment !== deployment) return false;
    return this.#is(event);
  }

  #is(event: RunEvent): boolean {
    const { reports, enters, downloads, runs, polls, boots, logs, does_not_boot, state } = this.#parts;
    switch (event.kind) {
      case "status":
        return event.status === reports;
      case "deployment":
        return state !== undefined && this.#getsInto(state, event);
      case "state":
        return enters !== undefined && event.state === enters;
      case "received":
        return downloads !== undefined && this.#crosses(event.device, event.receivedBytes, downloads);
      case "runs":
        return event.software === runs;
      case "exchange":
        return polls === true && event.request === "poll";
      case "boot":
        return boots === true;
      case "line":
        return logs !== undefined && event.line.includes(logs);
      case "log":
        return logs !== undefined && event.messages.some(({ message }) => message.includes(logs));
      case "down":
        return does_not_boot === true && event.why === BRICK;
      default:
        return false;
    }
  }

  #getsInto(state: DeploymentState, event: RunEvent & { readonly kind: "deployment" }): boolean {
    const was = this.#inState.has(event.deployment);
    const is = isInState(event, state);
    if (is) this.#inState.add(event.deployment);
    else this.#inState.delete(event.deployment);
    return is && !was;
  }

  #crosses(device: string, receivedBytes: number, mark: number): boolean {
    const before = this.#received.get(device) ?? 0;
    this.#received.set(device, receivedBytes);
    return receivedBytes >= mark && (before < mark || before > receivedBytes);
  }
}

/** Why a device is down for good. */
export const BRICK = "nothing boots any more";
