/** A fenced block of a Markdown document. */
export interface FencedBlock {
  /** What stands behind the opening fence: `sh`, `json`. */
  readonly info: string;
  /** Where its content begins in the document, counted from 1. */
  readonly line: number;
  readonly content: readonly string[];
  /** The heading above it. */
  readonly section: string;
}

/** All fenced blocks, in their order. */
export function fencedBlocks(document: string): readonly FencedBlock[] {
  const blocks: FencedBlock[] = [];
  let open: (FencedBlock & { readonly content: string[] }) | undefined;
  let section = "";
  for (const [index, text] of document.split("\n").entries()) {
    if (!text.startsWith("```")) {
      open?.content.push(text);
      if (open === undefined && /^#+ /.test(text)) section = text.replace(/^#+ /, "");
    } else if (open === undefined) open = { info: text.slice(3), line: index + 2, content: [], section };
    else {
      blocks.push(open);
      open = undefined;
    }
  }
  return blocks;
}
