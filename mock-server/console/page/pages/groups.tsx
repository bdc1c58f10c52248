import { useSignal } from "@preact/signals";
import { call, type Listed, reasonOf } from "../api.ts";
import { pageUrl } from "../parts/address.ts";
import { deviceName } from "../parts/devices.ts";
import { Ask, Dialog, DialogButton, Fault, Loaded, Section } from "../parts/frame.tsx";
import { FIRST_TERM, isComplete, sent, type Term, TermEditor, termText, useAttributes } from "../parts/terms.tsx";
import { plural } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";

const FILTERS = "/api/management/v2/inventory/filters";
const SEARCH = `${FILTERS}/search` as const;
type SavedFilter = Listed<typeof FILTERS>;

const SAMPLES = 10;

async function matching(terms: readonly Term[], signal: AbortSignal) {
  return await call("post", SEARCH, { body: { filters: sent(terms), per_page: SAMPLES }, signal });
}

function Matching({ terms }: { readonly terms: readonly Term[] }) {
  const found = useResource(JSON.stringify(terms), (signal) => matching(terms, signal), ["device", "inventory"]);
  return (
    <Loaded from={found}>
      {({ data, total }) => (
        <>
          <p role="status">
            <strong>{plural(total, "device")}</strong> {total === 1 ? "matches" : "match"} now.
          </p>
          <p class="hint">
            {data.map(deviceName).join(", ")}
            {total > data.length && " …"}
          </p>
        </>
      )}
    </Loaded>
  );
}

function NewFilter({ onClose }: { readonly onClose: () => void }) {
  const terms = useSignal<readonly Term[]>([FIRST_TERM]);
  const name = useSignal("");
  const fault = useSignal("");
  const names = useAttributes();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      await call("post", FILTERS, { body: { name: name.value, terms: sent(terms.value) } });
      onClose();
    } catch (error) {
      fault.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="New filter" onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Name
          <input
            required
            value={name}
            onInput={({ currentTarget }) => {
              name.value = currentTarget.value;
            }}
          />
        </label>
        <p class="hint">Devices that meet all conditions:</p>
        <Loaded from={names}>
          {(all) => (
            <>
              {terms.value.map((term, index) => (
                <TermEditor
                  key={index}
                  term={term}
                  names={all}
                  change={(part) => {
                    terms.value = terms.value.map((one, at) => (at === index ? { ...one, ...part } : one));
                  }}
                  remove={() => {
                    terms.value = terms.value.filter((_, at) => at !== index);
                  }}
                />
              ))}
              <button
                type="button"
                onClick={() => {
                  terms.value = [...terms.value, FIRST_TERM];
                }}
              >
                Add a condition
              </button>
            </>
          )}
        </Loaded>
        {terms.value.every(isComplete) ? (
          <Matching terms={terms.value} />
        ) : (
          <p class="hint">Each condition needs a value.</p>
        )}
        <Fault text={fault.value} />
        <div class="actions">
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function FilterRow({ filter, remove }: { readonly filter: SavedFilter; readonly remove: () => void }) {
  return (
    <tr>
      <td>{filter.name}</td>
      <td class="hint">{filter.terms.map(termText).join(" and ")}</td>
      <td class="actions">
        <a class="button" href={pageUrl("/deployments/new", { filter: filter.id })}>
          Deploy
        </a>
        {mayWrite() && (
          <button type="button" onClick={remove}>
            Delete
          </button>
        )}
      </td>
    </tr>
  );
}

async function groupsWithCounts(signal: AbortSignal) {
  const { data: names } = await call("get", "/api/management/v1/inventory/groups", { signal });
  return await Promise.all(
    names.map(async (name) => {
      const path = "/api/management/v1/inventory/groups/{name}/devices";
      const { total } = await call("get", path, { params: { name }, query: { per_page: 1 }, signal });
      return { name, total };
    }),
  );
}

export function GroupsPage() {
  const asked = useSignal<SavedFilter | undefined>(undefined);
  const groups = useResource("groups", groupsWithCounts, ["device", "inventory"]);
  const filters = useResource(
    "filters",
    async (signal) => (await call("get", FILTERS, { query: { per_page: 100 }, signal })).data,
    ["filter"],
  );
  const filter = asked.value;
  return (
    <>
      <h1>Groups</h1>
      <Section title="Static groups">
        <Loaded from={groups}>
          {(all) =>
            all.length === 0 ? (
              <p class="hint">
                None. Choose devices in <a href={pageUrl("/devices")}>the list of devices</a>, and change their group.
              </p>
            ) : (
              <table class="wide">
                <tbody>
                  {all.map(({ name, total }) => (
                    <tr key={name}>
                      <td>
                        <a href={pageUrl("/devices", { group: name })}>{name}</a>
                      </td>
                      <td>{plural(total, "device")}</td>
                      <td class="actions">
                        <a class="button" href={pageUrl("/deployments/new", { group: name })}>
                          Deploy
                        </a>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
      </Section>
      <Section
        title="Dynamic groups: saved filters"
        actions={
          mayWrite() && <DialogButton label="New filter">{(close) => <NewFilter onClose={close} />}</DialogButton>
        }
      >
        <Loaded from={filters}>
          {(all) =>
            all.length === 0 ? (
              <p class="hint">None. A deployment to a filter also takes devices that match it later.</p>
            ) : (
              <table class="wide">
                <tbody>
                  {all.map((one) => (
                    <FilterRow
                      key={one.id}
                      filter={one}
                      remove={() => {
                        asked.value = one;
                      }}
                    />
                  ))}
                </tbody>
              </table>
            )
          }
        </Loaded>
      </Section>
      {filter !== undefined && (
        <Ask
          title="Delete this filter"
          text="Deployments to it keep a copy of its conditions."
          action="Delete"
          isDangerous
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            await call("delete", `${FILTERS}/{id}`, { params: { id: filter.id } });
          }}
        />
      )}
    </>
  );
}
