import { useLocation, useRoute } from "preact-iso";
import { call, type Shown } from "../api.ts";
import { pageUrl } from "../parts/address.ts";
import { Ask, Dialog, DialogButton, Loaded, Section } from "../parts/frame.tsx";
import { size, Time, valueText } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";

const PATH = "/api/management/v2/deployments/deployments/releases/{name}";
type Artifact = NonNullable<Shown<typeof PATH>["artifacts"]>[number];

function Pairs({
  title,
  pairs = {},
}: {
  readonly title: string;
  readonly pairs?: Readonly<Record<string, unknown>> | undefined;
}) {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return null;
  return (
    <>
      <dt>{title}</dt>
      <dd>
        <ul class="pairs">
          {entries.map(([name, value]) => (
            <li key={name}>
              <code>{name}</code>: {valueText(value)}
            </li>
          ))}
        </ul>
      </dd>
    </>
  );
}

function ArtifactCard({ artifact }: { readonly artifact: Artifact }) {
  const { device_types_compatible, signed, updates, artifact_provides, artifact_depends, size: bytes } = artifact;
  const download = async (): Promise<void> => {
    const path = "/api/management/v1/deployments/artifacts/{id}/download";
    const { data } = await call("get", path, { params: { id: artifact.id } });
    location.assign(data.uri);
  };
  return (
    <Section
      title={`For ${device_types_compatible.join(", ")}`}
      actions={
        <>
          <button type="button" onClick={() => void download()}>
            Download
          </button>
          {mayWrite() && (
            <DialogButton label="Delete" look="danger">
              {(close) => (
                <Ask
                  title="Delete this artifact"
                  text="Devices that have not begun to download it get it no more."
                  action="Delete"
                  isDangerous
                  onClose={close}
                  run={async () => {
                    await call("delete", "/api/management/v1/deployments/artifacts/{id}", {
                      params: { id: artifact.id },
                    });
                  }}
                />
              )}
            </DialogButton>
          )}
        </>
      }
    >
      <dl class="facts">
        <dt>Size</dt>
        <dd>{size(bytes)}</dd>
        <dt>Signature</dt>
        <dd>{signed ? "signed" : "not signed"}</dd>
        <dt>Uploaded</dt>
        <dd>
          <Time at={artifact.modified} />
        </dd>
        {artifact.description !== "" && (
          <>
            <dt>Description</dt>
            <dd>{artifact.description}</dd>
          </>
        )}
        <Pairs title="Provides" pairs={artifact_provides} />
        <Pairs title="Depends on" pairs={artifact_depends} />
        {updates.map(({ type_info, files, metadata }, index) => (
          <Payload key={index} type={type_info.type ?? "(none)"} files={files ?? []} metadata={metadata} />
        ))}
      </dl>
    </Section>
  );
}

type PayloadFile = NonNullable<Artifact["updates"][number]["files"]>[number];

function Payload({
  type,
  files,
  metadata,
}: {
  readonly type: string;
  readonly files: readonly PayloadFile[];
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}) {
  return (
    <>
      <dt>Payload</dt>
      <dd>
        {type}
        <ul class="pairs">
          {files.map(({ name, size: bytes, checksum }) => (
            <li key={name}>
              {name}, {size(bytes)} <code title={checksum}>{checksum.slice(0, 12)}…</code>
            </li>
          ))}
        </ul>
      </dd>
      <Pairs title="Meta-data" pairs={metadata} />
    </>
  );
}

function Notes({
  name,
  notes,
  onClose,
}: {
  readonly name: string;
  readonly notes: string;
  readonly onClose: () => void;
}) {
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const text = String(new FormData(event.target as HTMLFormElement).get("notes"));
    await call("patch", PATH, { params: { name }, body: { notes: text } });
    onClose();
  };
  return (
    <Dialog title="Notes" onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Notes
          <textarea name="notes" rows={8} defaultValue={notes} />
        </label>
        <div class="actions">
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function ReleasePage() {
  const { route } = useLocation();
  const name = decodeURIComponent(useRoute().params.name ?? "");
  const shown = useResource(name, async (signal) => (await call("get", PATH, { params: { name }, signal })).data, [
    "artifact",
    "release",
  ]);
  return (
    <Loaded from={shown}>
      {({ artifacts = [], notes = "", tags = [] }) => (
        <>
          <header class="title">
            <div>
              <p class="hint">
                <a href={pageUrl("/releases")}>Releases</a> /
              </p>
              <h1>{name}</h1>
              {tags.map((tag) => (
                <span key={tag} class="tag">
                  {tag}
                </span>
              ))}
            </div>
            {mayWrite() && (
              <div class="actions">
                <a class="button primary" href={pageUrl("/deployments/new", { release: name })}>
                  Deploy
                </a>
                <DialogButton label="Notes">
                  {(close) => (
                    <Notes
                      name={name}
                      notes={notes}
                      onClose={() => {
                        close();
                        shown.reload();
                      }}
                    />
                  )}
                </DialogButton>
                <DialogButton label="Delete" look="danger">
                  {(close) => (
                    <Ask
                      title="Delete this release"
                      text="All its artifacts are deleted."
                      action="Delete"
                      isDangerous
                      onClose={close}
                      run={async () => {
                        const path = "/api/management/v2/deployments/deployments/releases";
                        await call("delete", path, { query: { name: [name] } });
                        route(pageUrl("/releases"));
                      }}
                    />
                  )}
                </DialogButton>
              </div>
            )}
          </header>
          {notes !== "" && <p class="notes">{notes}</p>}
          {artifacts.map((artifact) => (
            <ArtifactCard key={artifact.id} artifact={artifact} />
          ))}
        </>
      )}
    </Loaded>
  );
}
