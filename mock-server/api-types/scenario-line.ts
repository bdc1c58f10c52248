/** What is told of a run while it goes on. */
export type ScenarioLine =
  | { readonly kind: "begins"; readonly scenario: string; readonly why: string; readonly expected: readonly string[] }
  /** Something happened, `at_ms` after the start. */
  | {
      readonly kind: "happens";
      readonly at_ms: number;
      readonly device?: string;
      readonly text: string;
      readonly tone: string;
    }
  | {
      readonly kind: "ends";
      readonly outcome: string;
      readonly simulated_ms: number;
      readonly verdicts: readonly { readonly expected: string; readonly met: boolean; readonly got: string }[];
    }
  /** The run itself failed. */
  | { readonly kind: "breaks"; readonly error: string };
