import * as fc from "fast-check";

// On a slow machine a property ends with fewer runs, well before the test's own time is over.
fc.configureGlobal({ interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false });

export { fc };
