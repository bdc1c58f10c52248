/** How a status is meant: its colour, and a sign for those who do not see it. */
const TONES = {
  good: "✓",
  bad: "✕",
  busy: "↻",
  waiting: "…",
  idle: "–",
} as const;
export type Tone = keyof typeof TONES;

const TONE_OF: Readonly<Record<string, Tone>> = {
  accepted: "good",
  success: "good",
  "already-installed": "good",
  rejected: "bad",
  failure: "bad",
  downloading: "busy",
  installing: "busy",
  rebooting: "busy",
  inprogress: "busy",
  pending: "waiting",
  preauthorized: "waiting",
  scheduled: "waiting",
  pause_before_installing: "waiting",
  pause_before_rebooting: "waiting",
  pause_before_committing: "waiting",
};

const WORDS: Readonly<Record<string, string>> = {
  inprogress: "in progress",
  noartifact: "no artifact",
  noauth: "no key",
};

export function toneOf(status: string): Tone {
  return TONE_OF[status] ?? "idle";
}

export function statusText(status: string): string {
  return WORDS[status] ?? status.replaceAll("_", " ");
}

export function Status({ of, children }: { readonly of: string; readonly children?: preact.ComponentChildren }) {
  const tone = toneOf(of);
  return (
    <span class={`status ${tone}`}>
      <span aria-hidden="true">{TONES[tone]}</span> {children ?? statusText(of)}
    </span>
  );
}

/** The statuses of a deployment's devices, in the order of an update. */
export const DEVICE_STATUSES = [
  ...["success", "already-installed", "rebooting", "installing", "downloading", "pause_before_committing"],
  ...["pause_before_rebooting", "pause_before_installing", "pending", "noartifact", "aborted", "decommissioned"],
  "failure",
] as const;

/** A deployment's devices by status. What its colours say, the text beside it says too. */
export function StatusBar({ counts }: { readonly counts: Readonly<Record<string, number>> }) {
  const parts = DEVICE_STATUSES.flatMap((status) => {
    const count = counts[status] ?? 0;
    return count === 0 ? [] : [{ status, count }];
  });
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return <span class="none">no devices yet</span>;
  return (
    <div class="bar-with-text">
      <svg class="bar" viewBox={`0 0 ${total} 1`} preserveAspectRatio="none" aria-hidden="true">
        {parts.map(({ status, count }, index) => {
          const x = parts.slice(0, index).reduce((sum, part) => sum + part.count, 0);
          return <rect key={status} class={toneOf(status)} x={x} y="0" width={count} height="1" />;
        })}
      </svg>
      <span class="bar-text">
        {parts.map(({ status, count }) => `${count.toLocaleString("en")} ${statusText(status)}`).join(", ")}
      </span>
    </div>
  );
}
