import type { System } from "@upkeep/shared/system";
import { printable, printableLines } from "@upkeep/shared/text";
import { canMoveCursor, promptStandardError, standardOutput, terminalColumns } from "../system/environment.ts";
import { isTerminalInput } from "../system/password-input.ts";
import { Api, type StreamingNetwork } from "./api.ts";
import type { CommandTable, GlobalOptions } from "./command.ts";
import { type Connection, connectionOf } from "./connection.ts";
import { usage } from "./failure.ts";
import { type Colours, colours } from "./output/colours.ts";
import { type Column, tableText } from "./output/table.ts";

/** What a command works with. */
export class Ctl {
  readonly system: System;
  /** All commands. */
  readonly table: CommandTable;
  readonly options: GlobalOptions;
  readonly json: boolean;
  /** Of standard output. */
  readonly colours: Colours;
  #api: Promise<Api> | undefined;

  readonly #network: StreamingNetwork;

  constructor(system: System, network: StreamingNetwork, table: CommandTable, options: GlobalOptions) {
    this.table = table;
    this.#network = network;
    this.system = system;
    this.options = options;
    this.json = options.json === true;
    this.colours = colours(standardOutput.colours === true);
  }

  /** The API of another server than the one that is chosen. */
  apiOf(connection: Connection): Api {
    return new Api(this.#network, connection);
  }

  /** The API of the server that flags, variables or the profile name. */
  api(): Promise<Api> {
    this.#api ??= connectionOf(this.system, this.options).then((connection) => new Api(this.#network, connection));
    return this.#api;
  }

  /** Width of standard output in columns; `undefined`: it is no terminal. */
  get columns(): number | undefined {
    return terminalColumns("stdout");
  }

  /** True if standard error can be drawn anew. */
  get isLive(): boolean {
    return canMoveCursor() && !this.json;
  }

  /** Data, to standard output: a line, or several. */
  print(text: string): void {
    standardOutput.write(`${text}\n`);
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value, undefined, 2));
  }

  /** One object of a stream. */
  printJsonLine(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  /** What is no data, to standard error. */
  say(text: string): void {
    promptStandardError.write(`${printableLines(text)}\n`);
  }

  /** A list: a table for people, a JSON array of `rows` for programs. */
  printTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): void {
    if (this.json) this.printJson(rows);
    else if (rows.length === 0) this.say(empty);
    else this.print(this.tableOf(rows, columns));
  }

  /** A table for people. */
  tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
    return tableText(rows, columns, this.columns, this.colours);
  }

  /** Lines of a name and a value; what is `undefined` is left out. */
  printPairs(pairs: readonly (readonly [string, string | undefined])[]): void {
    const given = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
    const width = Math.max(...given.map(([name]) => name.length));
    for (const [name, value] of given) {
      this.print(`${this.colours.dim(name.padEnd(width))}  ${printable(value)}`);
    }
  }

  /**
   * Asks a person; `--yes` answers.
   * @returns True if it is to be done.
   * @throws CtlError (usage) if standard input is no terminal
   */
  async confirmed(question: string, yes: boolean | undefined): Promise<boolean> {
    if (yes === true) return true;
    if (!isTerminalInput()) throw usage("standard input is no terminal that could be asked: add --yes");
    const { promptForLine } = await import("../system/line-input.ts");
    const answer = await promptForLine(`${question} [y/N] `);
    if (/^y(es)?$/i.test(answer)) return true;
    this.say("Nothing was changed.");
    return false;
  }
}
