import { useEffect, useRef } from "preact/hooks";
import { call } from "../api.ts";
import { useResource } from "../resource.ts";
import { Dialog, Loaded } from "./frame.tsx";
import { exact } from "./text.tsx";

interface Line {
  readonly time: string;
  readonly level: string;
  readonly text: string;
}

const LOUD = ["error", "fatal", "critical", "panic"];

/** A line of a device's log: `2026-01-02T03:04:05Z level: text`. What is written otherwise is shown as it is. */
function parseLine(line: string): Line {
  const [, time = "", level = "", text = line] = /^(\d{4}-\d\d-\d\dT\S+)\s+(\w+):\s?(.*)$/s.exec(line) ?? [];
  return { time, level: level.toLowerCase(), text };
}

function Lines({ text }: { readonly text: string }) {
  const first = useRef<HTMLElement>(null);
  const lines = text.trimEnd().split("\n").map(parseLine);
  const failing = lines.findIndex(({ level }) => LOUD.includes(level));
  useEffect(() => first.current?.scrollIntoView({ block: "center" }), []);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by the keyboard
    <pre class="log" tabIndex={0}>
      {lines.map((line, index) => (
        <span
          key={index}
          ref={index === failing ? first : null}
          class={`line ${LOUD.includes(line.level) ? "error" : line.level}`}
        >
          <span class="time" title={line.time === "" ? "" : exact(Date.parse(line.time))}>
            {line.time.slice(11, 19)}
          </span>
          <span class="level">{line.level}</span>
          {line.text}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

/** The log that a device sent of a deployment, at the line that failed. */
export function LogDialog({
  deployment,
  device,
  onClose,
}: {
  readonly deployment: string;
  readonly device: string;
  readonly onClose: () => void;
}) {
  const log = useResource(`${deployment} ${device}`, async (signal) => {
    const path = "/api/management/v1/deployments/deployments/{id}/devices/{device}/log";
    const { data } = await call("get", path, { params: { id: deployment, device }, signal });
    return String(data);
  });
  return (
    <Dialog title="Log of the device" onClose={onClose}>
      <Loaded from={log}>
        {(text) => (
          <>
            <Lines text={text} />
            <div class="actions">
              <button type="button" onClick={() => void navigator.clipboard?.writeText(text)}>
                Copy
              </button>
            </div>
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
