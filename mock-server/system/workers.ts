import { Worker } from "node:worker_threads";
import { asSystemError } from "./faults.ts";
import type { Workers, WorkerThread } from "./worker-ports.ts";

/** Worker threads of Node. */
export class NodeWorkers implements Workers {
  start(program: string, data: unknown): WorkerThread {
    return new Thread(new Worker(FRAME + program + ANSWERING, { eval: true, workerData: data }));
  }
}

const FRAME = "const module = { exports: undefined };\n";
const ANSWERING = `
{
  const { parentPort, workerData } = require("node:worker_threads");
  const answer = module.exports(workerData);
  const post = (given) => parentPort.postMessage(given);
  parentPort.on("message", (question) => {
    const given = answer(question);
    if (given instanceof Promise) given.then(post);
    else post(given);
  });
}`;

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

class Thread implements WorkerThread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #ended: unknown;

  constructor(worker: Worker) {
    this.#worker = worker;
    // An idle thread must not keep the process alive.
    worker.unref();
    worker.on("message", (answer: unknown) => this.#answered(answer));
    worker.on("error", (error) => this.#over(asSystemError(error)));
    worker.on("exit", () => this.#over(new Error("the thread has ended")));
  }

  ask(question: unknown): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(question);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #answered(answer: unknown): void {
    this.#waiting.shift()?.resolve(answer);
    if (this.#waiting.length === 0) this.#worker.unref();
  }

  #over(error: unknown): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}
