import { isTerminalInput, promptForPassword } from "../system/password-input.ts";
import { environmentVariable } from "../system/usage.ts";
import { contentOf } from "./connection.ts";
import type { Ctl } from "./context.ts";
import { usage } from "./failure.ts";

/**
 * A password: of `--password-file`, of a variable of the environment, or asked for.
 * @throws CtlError (usage) if there is none, and standard input is no terminal
 */
export async function passwordFor(
  { system }: Pick<Ctl, "system">,
  {
    file,
    variable,
    question,
  }: { readonly file?: string | undefined; readonly variable?: string; readonly question: string },
): Promise<string> {
  const given =
    file === undefined
      ? variable === undefined
        ? undefined
        : environmentVariable(variable)
      : (await contentOf(system, "password-file", file)).replace(/\r?\n$/, "");
  if (given !== undefined && given !== "") return given;
  if (file !== undefined) throw usage(`--password-file ${file}: is empty`);
  if (!isTerminalInput()) {
    const orVariable = variable === undefined ? "" : `, or the variable ${variable}`;
    throw usage(`standard input is no terminal that could be asked for a password: --password-file FILE${orVariable}`);
  }
  return await promptForPassword(question);
}
