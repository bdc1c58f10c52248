/** Where a block of the guide is carried out. */
export type Place = "builder" | "device";

/** A block of the guide: commands for a shell, or a file to write before what follows. */
export interface GuideStep {
  readonly place: Place;
  /** Where it begins in the document. */
  readonly line: number;
  readonly commands: string;
}

const FENCES: Readonly<Record<string, (text: string) => Omit<GuideStep, "line">>> = {
  "```sh": (text) => ({ place: "builder", commands: text }),
  "```sh device": (text) => ({ place: "device", commands: text }),
  "```json": (text) => ({ place: "builder", commands: `cat >root/etc/mender/mender.conf <<'JSON'\n${text}JSON\n` }),
};

/** The steps of a guide, in the order of its blocks. */
export function guideSteps(document: string): readonly GuideStep[] {
  const steps: GuideStep[] = [];
  let block: { readonly fence: string; readonly line: number; text: string } | undefined;
  for (const [index, text] of document.split("\n").entries()) {
    if (block === undefined) {
      if (text.startsWith("```")) block = { fence: text, line: index + 1, text: "" };
    } else if (text === "```") {
      const step = FENCES[block.fence]?.(block.text);
      if (step !== undefined) steps.push({ ...step, line: block.line });
      block = undefined;
    } else block.text += `${text}\n`;
  }
  return steps;
}
