import { ClockSection } from "./scenarios/clock.tsx";
import { FaultsSection } from "./scenarios/faults.tsx";
import { RunSection } from "./scenarios/run.tsx";

/** The test controls of a server that has them. */
export function ScenariosPage() {
  return (
    <>
      <h1>Scenarios</h1>
      <p class="hint">This server was started with --test-controls: everybody on its machine may use them.</p>
      <FaultsSection />
      <ClockSection />
      <RunSection />
    </>
  );
}
