import { fencedBlocks } from "../../docs/fenced-blocks.ts";

/** Where a block of the guide is carried out. */
export type Place = "builder" | "device";

/** A block of the guide: commands for a shell, or a file to write before what follows. */
export interface GuideStep {
  readonly place: Place;
  /** Where it begins in the document. */
  readonly line: number;
  readonly commands: string;
}

const STEPS: Readonly<Record<string, (text: string) => Omit<GuideStep, "line">>> = {
  sh: (text) => ({ place: "builder", commands: text }),
  "sh device": (text) => ({ place: "device", commands: text }),
  json: (text) => ({ place: "builder", commands: `cat >root/etc/mender/mender.conf <<'JSON'\n${text}JSON\n` }),
};

/** The steps of a guide, in the order of its blocks. */
export function guideSteps(document: string): readonly GuideStep[] {
  return fencedBlocks(document).flatMap(({ info, line, content }) => {
    const step = STEPS[info]?.(`${content.join("\n")}\n`);
    return step === undefined ? [] : [{ ...step, line }];
  });
}
