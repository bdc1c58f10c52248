import type { FileHandle, Files } from "@upkeep/shared/system";

/** Stores the bytes of one download. */
export interface KeptDownload {
  add(chunk: Uint8Array): void;
  /** @param sha256 Of the whole artifact; `undefined`: the artifact is not kept. */
  end(sha256: string | undefined): void;
}

/** Keeps complete downloads as files, each once, named by its SHA-256. */
export class ArtifactKeeper {
  readonly #files: Files;
  readonly #directory: string;
  readonly #underWay = new Set<Promise<void>>();
  readonly #onFailure: (error: unknown) => void;
  #count = 0;

  private constructor(files: Files, directory: string, onFailure: (error: unknown) => void) {
    this.#files = files;
    this.#directory = directory;
    this.#onFailure = onFailure;
  }

  static async open(files: Files, directory: string, onFailure: (error: unknown) => void): Promise<ArtifactKeeper> {
    await files.makeDirectory(directory, 0o700);
    return new ArtifactKeeper(files, directory, onFailure);
  }

  begin(): KeptDownload {
    const partial = `${this.#directory}/partial-${++this.#count}`;
    let file: FileHandle | undefined;
    let written = this.#files.open(partial, "write", 0o600).then((handle) => {
      file = handle;
    });
    return {
      add: (chunk) => {
        const copy = Buffer.from(chunk);
        written = written.then(async () => {
          await file?.write(copy);
        });
        // `end` reports the error.
        written.catch(() => undefined);
      },
      end: (sha256) => {
        const settled = this.#settle(written, () => file, partial, sha256).finally(() =>
          this.#underWay.delete(settled),
        );
        this.#underWay.add(settled);
      },
    };
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #settle(
    written: Promise<void>,
    file: () => FileHandle | undefined,
    partial: string,
    sha256: string | undefined,
  ): Promise<void> {
    try {
      await written;
      await file()?.close();
      if (sha256 === undefined) await this.#files.remove(partial);
      else await this.#files.rename(partial, `${this.#directory}/${sha256}`);
    } catch (error) {
      // A full disk must not end the server: the recording goes on without this artifact.
      this.#onFailure(error);
    }
  }
}
