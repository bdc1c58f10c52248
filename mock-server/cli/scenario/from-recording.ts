import type { System } from "@upkeep/shared/system";
import type { Argv } from "yargs";
import { standardOutput } from "../../system/environment.ts";
import { writeText } from "../writing.ts";
import { recordingIn } from "./recording-file.ts";

const EPILOGUE = `The scenario has the recorded devices, what they were offered and when, downloads that broke, answers that were
none, updates that failed, and what became of each deployment as what is expected. What a recording does not tell, such as what a
payload does on the device, is made up: look it through before it goes into a collection.`;

/** `scenario from-recording` */
export function addFromRecordingCommand(argv: Argv, system: System): Argv {
  return argv.command(
    "from-recording <file>",
    "Turn a recording into a scenario file",
    (builder) =>
      builder
        .positional("file", { type: "string", demandOption: true })
        .options({
          output: {
            type: "string",
            alias: "o",
            describe: "File to write; standard output if absent",
            requiresArg: true,
          },
          name: { type: "string", describe: "What the scenario is called", requiresArg: true },
        })
        .epilogue(EPILOGUE),
    async (args: Readonly<Record<string, unknown>>) => {
      const path = String(args.file);
      const recording = await recordingIn(system, path);
      const { scenarioFrom } = await import("../../scenarios/recording/to-scenario.ts");
      const { parseScenario } = await import("../../scenarios/file/index.ts");
      const usual = `From the recording ${path.replace(/^.*\//, "").replace(/\.\w+$/, "")}`;
      const text = scenarioFrom(recording, typeof args.name === "string" ? args.name : usual);
      // Parses what was written: it must be a valid scenario.
      parseScenario(text, path);
      if (typeof args.output !== "string") standardOutput.write(text);
      else await writeText(system.files, "output", args.output, text);
    },
  );
}
