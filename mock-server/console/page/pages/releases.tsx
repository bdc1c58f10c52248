import { useSignal } from "@preact/signals";
import { call, type Listed, reasonIn, reasonOf, urlOf } from "../api.ts";
import { pageUrl, SERVER_URL } from "../parts/address.ts";
import { Command, Dialog, DialogButton, Empty, Fault, TableHead } from "../parts/frame.tsx";
import { List, ListSearch, useList } from "../parts/list.tsx";
import { size, Time } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite, session } from "../session.tsx";

const PATH = "/api/management/v2/deployments/deployments/releases";
const UPLOAD = "/api/management/v1/deployments/artifacts";
type Release = Listed<typeof PATH>;

const PER_PAGE = 20;

interface Upload {
  readonly name: string;
  /** Between 0 and 1. */
  readonly done: number;
  readonly fault?: string;
}

/** Sends a form, telling how much has arrived. @throws Error with the server's reason. */
function send(path: string, form: FormData, onProgress: (done: number) => void): Promise<void> {
  // Not fetch(): it does not tell how much was sent.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", urlOf(path));
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 0 : loaded / total);
    request.onerror = () => reject(new Error("the connection broke"));
    request.onload = () => {
      if (request.status < 300) resolve();
      else reject(new Error(reasonIn(request.responseText) ?? `the server answered ${request.status}`));
    };
    request.send(form);
  });
}

function mayUpload(): boolean {
  return session.value?.permissions.includes("upload") === true;
}

/** Takes artifacts by drag or by choice. */
function DropZone() {
  const uploads = useSignal<readonly Upload[]>([]);
  const isOver = useSignal(false);
  const set = (name: string, change: Partial<Upload>): void => {
    uploads.value = uploads.value.map((one) => (one.name === name ? { ...one, ...change } : one));
  };
  const upload = async (files: Iterable<File>): Promise<void> => {
    for (const file of files) {
      uploads.value = [...uploads.value.filter(({ name }) => name !== file.name), { name: file.name, done: 0 }];
      const form = new FormData();
      form.append("size", String(file.size));
      form.append("artifact", file);
      try {
        await send(UPLOAD, form, (done) => set(file.name, { done }));
        uploads.value = uploads.value.filter(({ name }) => name !== file.name);
      } catch (error) {
        set(file.name, { fault: reasonOf(error) });
      }
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the input inside does the same for the keyboard
    <div
      class={`drop ${isOver.value ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => {
        isOver.value = false;
      }}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        void upload(event.dataTransfer?.files ?? []);
      }}
    >
      <label class="button">
        Upload artifacts
        <input
          class="unseen"
          type="file"
          multiple
          accept=".mender"
          onChange={({ currentTarget }) => void upload([...(currentTarget.files ?? [])])}
        />
      </label>{" "}
      <span class="hint">or drop .mender files here</span>
      <ul>
        {uploads.value.map(({ name, done, fault }) => (
          <li key={name}>
            {name}{" "}
            {fault === undefined ? (
              <progress value={done} aria-label={`${name} is uploaded`} />
            ) : (
              <Fault text={fault} />
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Makes an artifact of a file, for the update module single-file. */
function FromFile({ onClose }: { readonly onClose: () => void }) {
  const fault = useSignal("");
  const done = useSignal<number | undefined>(undefined);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const file = given.get("file");
    if (!(file instanceof File)) return;
    const form = new FormData();
    for (const name of ["name", "device_types_compatible", "description"]) form.append(name, String(given.get(name)));
    form.append("type", "single_file");
    form.append("args", JSON.stringify({ filename: file.name, dest_dir: String(given.get("directory")) }));
    form.append("size", String(file.size));
    form.append("file", file);
    done.value = 0;
    fault.value = "";
    try {
      await send(`${UPLOAD}/generate`, form, (part) => {
        done.value = part;
      });
      onClose();
    } catch (error) {
      fault.value = reasonOf(error);
      done.value = undefined;
    }
  };
  return (
    <Dialog title="Make an artifact of a file" onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Name of the release
          <input name="name" required />
        </label>
        <label>
          Device types, with commas between them
          <input name="device_types_compatible" required />
        </label>
        <label>
          File
          <input name="file" type="file" required />
        </label>
        <label>
          Directory on the device
          <input name="directory" required placeholder="/etc/my-application" pattern="/.*" title="an absolute path" />
        </label>
        <label>
          Description
          <input name="description" />
        </label>
        {done.value !== undefined && <progress value={done.value} aria-label="uploaded" />}
        <Fault text={fault.value} />
        <div class="actions">
          <button type="submit" class="primary" disabled={done.value !== undefined}>
            Make it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Row({
  release: { name, modified, artifacts = [], artifacts_count, tags = [] },
}: {
  readonly release: Release;
}) {
  const types = [...new Set(artifacts.flatMap(({ device_types_compatible }) => device_types_compatible))];
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.size, 0);
  return (
    <tr>
      <td data-label="Release">
        <a href={pageUrl(`/releases/${encodeURIComponent(name)}`)}>{name}</a>{" "}
        {tags.map((tag) => (
          <span key={tag} class="tag">
            {tag}
          </span>
        ))}
      </td>
      <td data-label="Device types">{types.join(", ")}</td>
      <td data-label="Artifacts">{artifacts_count}</td>
      <td data-label="Size">{size(bytes)}</td>
      <td data-label="Changed">
        <Time at={modified} />
      </td>
    </tr>
  );
}

export function ReleasesPage() {
  const list = useList("/releases");
  const { q = "" } = list.query;
  const found = useResource(
    [q, list.page].join("\n"),
    (signal) => {
      const query = { page: list.page, per_page: PER_PAGE, ...(q ? { name: q } : {}) };
      return call("get", PATH, { query, signal });
    },
    ["artifact", "release"],
    { isKept: true },
  );
  return (
    <>
      <header class="title">
        <h1>Releases</h1>
        {mayWrite() && (
          <DialogButton label="Make an artifact of a file">{(close) => <FromFile onClose={close} />}</DialogButton>
        )}
      </header>
      {mayUpload() && <DropZone />}
      <search class="filters">
        <ListSearch list={list} label="Search releases" found={found} />
      </search>
      <List
        list={list}
        from={found}
        perPage={PER_PAGE}
        noun="release"
        head={() => <TableHead titles={["Release", "Device types", "Artifacts", "Size", "Changed"]} />}
        row={(release) => <Row key={release.name} release={release} />}
        empty={q === "" ? <NoReleases /> : <p class="hint">No release has this name.</p>}
      />
    </>
  );
}

function NoReleases() {
  return (
    <Empty title="There is no release yet">
      <p>Make an artifact of a file, on any machine with the server's program, and drop it here or upload it:</p>
      <Command
        text={
          "upkeep-server artifact write module-image --type single-file --artifact-name release-1 \\\n" +
          "  --compatible-types my-board --file my-file --output-path release-1.mender\n" +
          `upkeepctl --server ${SERVER_URL} releases upload release-1.mender`
        }
      />
    </Empty>
  );
}
