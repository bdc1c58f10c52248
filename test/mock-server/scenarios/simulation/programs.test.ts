import { type System, SystemError } from "@upkeep/shared/system";
import { describe, expect, test } from "vitest";
import {
  Disk,
  type MachineOptions,
  type Programs,
  SimulatedMachine,
  VirtualTime,
} from "../../../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../../../mock-server/system/seeded-random.ts";

async function run<T>(program: (system: System) => Promise<T>, options: Partial<MachineOptions> = {}): Promise<T> {
  const time = new VirtualTime();
  const device = new SimulatedMachine({ time, chance: new SeededRandom("test"), disk: Disk.blank(), ...options });
  let found: { readonly value: T } | undefined;
  const end = await time.until(
    device.boot(async (system) => {
      found = { value: await program(system) };
    }),
  );
  if (end.kind === "threw") throw end.error;
  if (found === undefined) throw new Error(`the boot ended: ${end.kind}`);
  return found.value;
}

const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);
const bytes = (data: string): Uint8Array => new TextEncoder().encode(data);

describe("processes", () => {
  const programs: Programs = {
    "/bin/echo": async ({ args, environment, directory, stdout }) => {
      stdout(`${args.join(" ")} ${environment.NAME} ${environment.OWN} ${directory}\n`);
      return 3;
    },
    "/bin/crash": async () => {
      throw new Error("what a pity");
    },
    "/bin/sleep": async ({ args, system }) => {
      await system.timers.sleep(Number(args[0]));
      return 0;
    },
    "/bin/stubborn": async ({ system, stdout, leaveBehind }) => {
      system.processes.onSignal("SIGTERM", () => stdout("no\n"));
      leaveBehind(async (child) => {
        await child.system.timers.sleep(1000);
        await child.system.files.makeDirectory("/child-was-here");
        return 0;
      });
      await system.timers.sleep(10_000);
      return 0;
    },
    "/bin/sh": async ({ args, stdout }) => {
      stdout(args.join(" "));
      return 0;
    },
  };

  test("a program gets its arguments, environment and directory; its output and exit code come back", async () => {
    const said: string[] = [];
    const exit = await run(
      async ({ processes }) => {
        const echo = await processes.start({
          command: "echo",
          args: ["a", "b"],
          directory: "/tmp",
          environment: { OWN: "own" },
          onStdout: (data) => said.push(text(data)),
        });
        return await echo.exit;
      },
      { programs, environment: { NAME: "inherited", OWN: "replaced" } },
    );
    expect(exit).toEqual({ code: 3 });
    expect(said).toEqual(["a b inherited own /tmp\n"]);
  });

  test("a program that throws ends with code 1, and standard error says why", async () => {
    let said = "";
    const exit = await run(
      async ({ processes }) => {
        const crash = await processes.start({
          command: "/bin/crash",
          args: [],
          onStderr: (data) => {
            said += text(data);
          },
        });
        return await crash.exit;
      },
      { programs },
    );
    expect(exit).toEqual({ code: 1 });
    expect(said).toBe("what a pity\n");
  });

  test("what is missing, or may not be executed, cannot be started", async () => {
    const codes = await run(
      async ({ processes, files }) => {
        await (await files.open("/plain", "write", 0o644)).close();
        await (await files.open("/nonsense", "write", 0o755)).close();
        return await Promise.all(
          ["nothing", "/bin/nothing", "/plain", "/nonsense"].map((command) =>
            processes.start({ command, args: [] }).then(
              () => "started",
              (error: SystemError) => error.code,
            ),
          ),
        );
      },
      { programs },
    );
    expect(codes).toEqual(["ENOENT", "ENOENT", "EACCES", "ENOEXEC"]);
  });

  test("an executable file that names its interpreter is run by it", async () => {
    let said = "";
    await run(
      async ({ processes, files }) => {
        const script = await files.open("/script", "write", 0o755);
        await script.write(bytes("#!/bin/sh -e\nanything\n"));
        await script.close();
        const shell = await processes.start({
          command: "/script",
          args: ["now"],
          onStdout: (data) => {
            said += text(data);
          },
        });
        await shell.exit;
      },
      { programs },
    );
    expect(said).toBe("-e /script now");
  });

  test("SIGTERM ends a program that does not care, not one that does; SIGKILL ends its whole group", async () => {
    const found = await run(
      async ({ processes, timers, files, clock }) => {
        const sleeping = await processes.start({ command: "sleep", args: ["5000"] });
        sleeping.signal("SIGTERM");
        const said: string[] = [];
        const stubborn = await processes.start({
          command: "stubborn",
          args: [],
          onStdout: (data) => said.push(text(data)),
        });
        await timers.sleep(1);
        stubborn.signal("SIGTERM");
        await timers.sleep(10);
        stubborn.signal("SIGKILL");
        const exits = [await sleeping.exit, await stubborn.exit];
        const atMs = clock.monotonic();
        await timers.sleep(5000);
        return { exits, said, atMs, child: await files.status("/child-was-here") };
      },
      { programs },
    );
    expect(found).toEqual({
      exits: [{ signal: "SIGTERM" }, { signal: "SIGKILL" }],
      said: ["no\n"],
      atMs: 11,
      child: undefined,
    });
  });
});

describe("FIFOs", () => {
  const reader: Programs = {
    "/bin/reader": async ({ openFifo, stdout, system }) => {
      await system.timers.sleep(20);
      const fifo = await openFifo("/fifo");
      for (;;) {
        const chunk = await fifo.read();
        if (chunk === undefined) break;
        stdout(chunk);
      }
      await fifo.close();
      return 0;
    },
    "/bin/quitter": async ({ openFifo }) => {
      const fifo = await openFifo("/fifo");
      await fifo.read();
      return 0;
    },
    "/bin/staller": async ({ openFifo, system }) => {
      const fifo = await openFifo("/fifo");
      await system.timers.sleep(1000);
      await fifo.read();
      await system.timers.sleep(1000);
      return 0;
    },
  };

  test("the writing end opens with the first reader, and what is written arrives in order", async () => {
    let said = "";
    const found = await run(
      async (system) => {
        await system.files.makeFifos(["/fifo"]);
        const enough = new AbortController();
        const unread = system.files.openFifo("/fifo", enough.signal);
        enough.abort(new Error("enough"));
        await expect(unread).rejects.toThrow("enough");
        const program = await system.processes.start({
          command: "reader",
          args: [],
          onStdout: (data) => {
            said += text(data);
          },
        });
        const writer = await system.files.openFifo("/fifo");
        const openedMs = system.clock.monotonic();
        await writer.write(bytes("one "));
        await writer.write(bytes("two"));
        await writer.close();
        return { exit: await program.exit, openedMs };
      },
      { programs: reader },
    );
    expect(found).toEqual({ exit: { code: 0 }, openedMs: 20 });
    expect(said).toBe("one two");
  });

  test("a writer whose reader goes away gets EPIPE", async () => {
    const code = await run(
      async (system) => {
        await system.files.makeFifos(["/fifo"]);
        const program = await system.processes.start({ command: "quitter", args: [] });
        const writer = await system.files.openFifo("/fifo");
        await writer.write(bytes("x"));
        await program.exit;
        return await writer.write(bytes("y")).catch((error: SystemError) => error.code);
      },
      { programs: reader },
    );
    expect(code).toBe("EPIPE");
  });

  test("a full FIFO makes its writer wait, until it is read or the writer gives up", async () => {
    const found = await run(
      async (system) => {
        await system.files.makeFifos(["/fifo"]);
        await system.processes.start({ command: "staller", args: [] });
        const writer = await system.files.openFifo("/fifo");
        const startMs = system.clock.monotonic();
        await writer.write(new Uint8Array(64 * 1024));
        const fullMs = system.clock.monotonic() - startMs;
        await writer.write(new Uint8Array(64 * 1024));
        const readMs = system.clock.monotonic() - startMs;
        const stop = new AbortController();
        system.timers.after(10, () => stop.abort(new Error("enough")));
        const third = await writer.write(new Uint8Array(1), stop.signal).catch((error: Error) => error.message);
        return { fullMs, readMs, third };
      },
      { programs: reader },
    );
    expect(found.fullMs).toBe(0);
    expect(found.readMs).toBeGreaterThan(900);
    expect(found.third).toBe("enough");
  });

  test("a program may open one as it opens a file: the opening waits for a writer, and the end is read as nothing", async () => {
    let said = "";
    const programs: Programs = {
      "/bin/filer": async ({ system: { files }, stdout }) => {
        const fifo = await files.open("/fifo", "read");
        const buffer = new Uint8Array(4);
        for (let count = await fifo.read(buffer); count > 0; count = await fifo.read(buffer))
          stdout(`${text(buffer.subarray(0, count))}|`);
        await expect(fifo.read(buffer, 0)).rejects.toMatchObject({ code: "ESPIPE" });
        await fifo.close();
        return 0;
      },
    };
    const exit = await run(
      async (system) => {
        await system.files.makeFifos(["/fifo"]);
        const onStdout = (data: Uint8Array): void => {
          said += text(data);
        };
        const program = await system.processes.start({ command: "filer", args: [], onStdout });
        const writer = await system.files.openFifo("/fifo");
        await writer.write(bytes("one two"));
        await writer.close();
        return await program.exit;
      },
      { programs },
    );
    expect(exit).toEqual({ code: 0 });
    expect(said).toBe("one |two|");
  });

  test("names that are taken, missing or no FIFO are refused", async () => {
    const codes = await run(async ({ files }) => {
      await files.makeFifos(["/fifo"]);
      await (await files.open("/file", "write")).close();
      const code = (promise: Promise<unknown>) => promise.then(String, (error: SystemError) => error.code);
      return [
        await code(files.makeFifos(["/fifo"])),
        await code(files.openFifo("/missing")),
        await code(files.openFifo("/file")),
        (await files.status("/fifo"))?.kind,
      ];
    });
    expect(codes).toEqual(["EEXIST", "ENOENT", "EINVAL", "fifo"]);
  });
});

describe("injected faults", () => {
  test("a call can be made to fail, without any effect", async () => {
    const found = await run(
      async ({ files }) => {
        const code = await files.makeDirectory("/a").catch((error: SystemError) => error.code);
        return [code, await files.status("/a")];
      },
      {
        observer: {
          fault: ({ name }) => (name === "files.makeDirectory" ? new SystemError("EIO", "bad sector") : undefined),
        },
      },
    );
    expect(found).toEqual(["EIO", undefined]);
  });

  test("calls that take time may be answered in another order", async () => {
    const order = await run(
      async ({ files }) => {
        const answered: string[] = [];
        await Promise.all(["/slow", "/quick"].map((path) => files.makeDirectory(path).then(() => answered.push(path))));
        return answered;
      },
      { observer: { latencyMs: ({ subject }) => (subject === "/slow" ? 5 : 1) } },
    );
    expect(order).toEqual(["/quick", "/slow"]);
  });
});
