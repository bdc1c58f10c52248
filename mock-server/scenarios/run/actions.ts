import { given } from "@upkeep/shared/given";
import { isSystemError } from "@upkeep/shared/system";
import { domainRefusal } from "../../api/domain-refusals.ts";
import { DomainError } from "../../errors.ts";
import { type Action, deviceOfAction } from "../file/index.ts";
import type { Operator, Stage } from "./stage.ts";

/** An action of the timeline in words. */
export function actionText({ action, value }: Action): string {
  const told = typeof value === "string" ? value : JSON.stringify(value);
  return `${action.replaceAll("_", " ")} ${told}`;
}

/** True if the server refused the action or was down: not an error of the simulation. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof DomainError || isSystemError(error);
}

/** The text of a refusal. */
export function refusalText(error: Error): string {
  return error instanceof DomainError ? domainRefusal(error).message : error.message;
}

/** Carries out an action of the timeline. A refusal of the server is recorded as an event. */
export async function act(world: Stage, action: Action): Promise<void> {
  const { history } = world;
  history.add({ kind: "action", what: actionText(action), ...given({ device: deviceOfAction(action) }) });
  try {
    await carryOut(world, action);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    history.add({ kind: "action", what: `refused: ${refusalText(error)}` });
  }
}

async function carryOut(world: Stage, { action, value }: Action): Promise<void> {
  const asOperator = (what: (operator: Operator) => Promise<void>) => world.atServer(what);
  switch (action) {
    case "power_cut":
      return world.device(value.device).cutPower(value.leaves, value.for);
    case "switch_off":
      return world.device(value).switchOff();
    case "switch_on":
      return world.device(value).switchOn();
    case "kill_agent":
      return world.device(value).killAgent();
    case "check_update":
      return world.device(value).machine.signalProgram("SIGUSR1");
    case "send_inventory":
      return world.device(value).machine.signalProgram("SIGUSR2");
    case "set_inventory":
      world.device(value.device).inventory = value.attributes;
      return;
    case "clock": {
      const { machine } = world.device(value.device);
      machine.setWallClock(value.to ?? machine.wallMs + (value.ahead ?? 0) - (value.behind ?? 0));
      return;
    }
    case "abort":
      return await asOperator((operator) => operator.abort(value));
    case "finish":
      return await asOperator((operator) => operator.finish(value));
    case "pause":
      return await asOperator((operator) => operator.pause(value));
    case "resume":
      return await asOperator((operator) => operator.resume(value));
    case "accept":
      return await asOperator((operator) => operator.accept(value));
    case "reject":
      return await asOperator((operator) => operator.reject(value));
    case "decommission":
      return await asOperator((operator) => operator.decommission(value));
    case "move_to_group":
      return await asOperator((operator) => operator.moveToGroup(value.device, value.group));
    case "delete_release":
      return await asOperator((operator) => operator.deleteRelease(value));
    case "kill_server":
      return world.killServer(value.back_after);
    case "server_clock":
      return world.jumpServerClock((value.ahead ?? 0) - (value.behind ?? 0));
    case "renew_certificate":
      return world.renewCertificate(value);
    case "start_fault":
    case "stop_fault":
      world.plan.turn(value, action === "start_fault");
      world.setClocks();
      return;
  }
}
