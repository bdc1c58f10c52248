import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { reasonOf } from "../../api.ts";
import { Fault, Loaded, Section } from "../../parts/frame.tsx";
import { exact } from "../../parts/text.tsx";
import { useResource } from "../../resource.ts";
import { type Clock, control } from "./control.ts";

const LOOK_MS = 2000;

/** The server's clock, which tests may stop and move. */
export function ClockSection() {
  const clock = useResource("clock", (signal) => control<Clock>("GET", "/clock", undefined, signal));
  const by = useSignal("1h");
  const fault = useSignal("");
  useEffect(() => {
    const timer = setInterval(clock.reload, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const act = async (path: string, body?: object): Promise<void> => {
    fault.value = "";
    try {
      await control("POST", `/clock/${path}`, body);
    } catch (error) {
      fault.value = reasonOf(error);
    }
    clock.reload();
  };
  return (
    <Section title="Clock of the server">
      <Loaded from={clock}>
        {({ now, frozen }) => (
          <>
            <p>
              <strong>{exact(Date.parse(now))}</strong> {frozen && <span class="status waiting">stopped</span>}
            </p>
            <div class="filters">
              <button type="button" onClick={() => void act(frozen ? "run" : "freeze")}>
                {frozen ? "Let it go on" : "Stop it"}
              </button>
              <button type="button" onClick={() => void act("reset")}>
                Show the real time
              </button>
            </div>
            <form
              class="phase"
              onSubmit={(event) => {
                event.preventDefault();
                void act("advance", { by: by.value });
              }}
            >
              <label>
                Let time pass, such as 30s, 1h or 7d
                <input
                  value={by}
                  required
                  onInput={({ currentTarget }) => {
                    by.value = currentTarget.value;
                  }}
                />
              </label>
              <button type="submit">Advance</button>
            </form>
          </>
        )}
      </Loaded>
      <Fault text={fault.value} />
    </Section>
  );
}
