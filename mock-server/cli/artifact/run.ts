import { ArtifactError } from "@upkeep/shared/artifact";
import { AlreadySignedError, PlanError } from "@upkeep/shared/artifact/write";
import { isSystemError, type System } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import {
  type BinaryOutput,
  keyPassphrase,
  type Output,
  setExitStatus,
  standardError,
  standardInput,
  standardOutput,
  temporaryDirectory,
} from "../../system/environment.ts";
import { isTerminalInput } from "../../system/password-input.ts";
import { CommandError } from "../failure.ts";
import { prompted } from "../passwords.ts";

/** What the artifact commands have of the world. */
export interface ArtifactContext {
  readonly system: Pick<System, "files" | "processes" | "random">;
  readonly out: BinaryOutput;
  readonly error: Output;
  readonly setExitStatus: (status: number) => void;
  /** Standard input. */
  readonly input: () => AsyncIterable<Uint8Array>;
  /** Passphrase of the signing key, from the environment. */
  readonly keyPassphrase: string | undefined;
  /** Asks the person at the terminal, who does not see what is typed; absent if standard input is no terminal. */
  readonly askPassphrase?: (question: string) => Promise<string>;
  /** Where temporary files go. */
  readonly temporaryDirectory: string;
}

export function processContext(system: System): ArtifactContext {
  return {
    ...{ system, out: standardOutput, error: standardError, setExitStatus, input: standardInput },
    keyPassphrase: keyPassphrase(),
    ...(isTerminalInput() ? { askPassphrase: prompted } : {}),
    temporaryDirectory: temporaryDirectory(),
  };
}

/** Statuses with which the commands end, as mender-artifact has them. */
export const EXIT = { failed: 1, cannotOpen: 3, invalid: 4 } as const;

/** A command could not be carried out. */
export class ArtifactCommandError extends Error {
  override readonly name = "ArtifactCommandError";
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly status: number;
}

/** What to tell of an error that is no mistake of this program; `undefined` if it is one. */
function failureOf(error: unknown): Failure | undefined {
  if (error instanceof ArtifactError) {
    const status = error.code === "key-unusable" ? EXIT.failed : EXIT.invalid;
    return { code: error.code, message: error.message, status };
  }
  if (error instanceof PlanError) return { code: "invalid-plan", message: error.message, status: EXIT.failed };
  if (error instanceof AlreadySignedError) {
    return { code: "already-signed", message: `${error.message}; --force signs it again`, status: EXIT.failed };
  }
  if (error instanceof ArtifactCommandError) return error;
  if (error instanceof CommandError) return { code: "usage", message: error.message, status: EXIT.failed };
  if (isSystemError(error)) return { code: error.code, message: error.message, status: EXIT.failed };
  return undefined;
}

/**
 * Carry out a command: what goes wrong is told in one line (and as JSON if that was asked for), and with the
 * exit status.
 */
export async function run(context: ArtifactContext, json: boolean, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    context.error.write(`upkeep-server: ${printable(failure.message)}\n`);
    if (json) printJson(context, { error: { code: failure.code, message: failure.message } });
    context.setExitStatus(failure.status);
  }
}

export function printJson(context: ArtifactContext, value: unknown): void {
  context.out.write(`${JSON.stringify(value, null, 2)}\n`);
}
