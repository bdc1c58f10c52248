import { systemFault } from "../../system/support/base.ts";

/**
 * The reason why tests of whole systems do not run. They take half an hour: `npm run test:systems` asks for them.
 * @param tools Programs that they need, and the packages that have them.
 */
export function systemsFault(tools: Readonly<Record<string, string>>): string | undefined {
  if (process.env.UPKEEP_TEST_SYSTEMS === undefined) return "npm run test:systems";
  const missing = systemFault(tools);
  if (missing !== undefined && process.env.CI) throw new Error(missing);
  return missing;
}
