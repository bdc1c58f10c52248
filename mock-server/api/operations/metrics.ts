import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { Counter, Histogram } from "./exposition.ts";

const DURATION_BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Unknown paths share one label: else a client could fill the memory with made-up paths. */
const NO_ROUTE = "none";

const POLL_PATHS: ReadonlySet<string> = new Set([DEVICE_PATHS.nextV1, DEVICE_PATHS.nextV2]);

/** The label of a poll by the status of its answer. */
const POLL_ANSWERS: Readonly<Record<number, string>> = { 200: "instructions", 204: "nothing", 409: "conflict" };

type CountRequest = (seconds: number) => void;

/** Metrics of the requests of this process. */
export class RequestMetrics {
  readonly #requests = new Counter("upkeep_http_requests_total", "Requests that were answered.");
  readonly #polls = new Counter("upkeep_polls_total", "Devices that asked for instructions, by what they were told.");
  readonly #durations = new Histogram(
    "upkeep_http_request_duration_seconds",
    "Time from the head of a request to the end of its answer.",
    DURATION_BOUNDS_S,
  );

  /** Known series by route, status and method. */
  readonly #known = new Map<string, Map<number, Map<string, CountRequest>>>();

  /** @param seconds From the head of the request to the end of the answer. */
  count(method: string, route: string | undefined, status: number, seconds: number): void {
    const series = route === undefined ? NO_ROUTE : method;
    const known = this.#known
      .get(route ?? "")
      ?.get(status)
      ?.get(series);
    (known ?? this.#know(series, route, status))(seconds);
  }

  #know(method: string, route: string | undefined, status: number): CountRequest {
    const statuses = this.#known.get(route ?? "") ?? new Map<number, Map<string, CountRequest>>();
    this.#known.set(route ?? "", statuses);
    const methods = statuses.get(status) ?? new Map<string, CountRequest>();
    statuses.set(status, methods);
    const counting = this.#counting(method, route, status);
    methods.set(method, counting);
    return counting;
  }

  #counting(method: string, route: string | undefined, status: number): CountRequest {
    const labels = { method, route: route ?? NO_ROUTE };
    const answered = this.#requests.of({ ...labels, status: String(status) });
    const took = this.#durations.of(labels);
    const isPoll = route !== undefined && POLL_PATHS.has(route);
    const polled = isPoll ? this.#polls.of({ answer: POLL_ANSWERS[status] ?? "refused" }) : undefined;
    return (seconds) => {
      answered(1);
      took(seconds);
      polled?.(1);
    };
  }

  lines(): string[] {
    return [...this.#requests.lines(), ...this.#polls.lines(), ...this.#durations.lines()];
  }
}
