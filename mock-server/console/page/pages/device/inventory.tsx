import { useSignal } from "@preact/signals";
import { call } from "../../api.ts";
import { Loaded, Section, TableHead } from "../../parts/frame.tsx";
import { valueText } from "../../parts/text.tsx";
import { useResource } from "../../resource.ts";

/** What the device has told of itself. */
export function Inventory({ id }: { readonly id: string }) {
  const filter = useSignal("");
  const device = useResource(
    id,
    async (signal) => {
      const path = "/api/management/v1/inventory/devices/{id}";
      return (await call("get", path, { params: { id }, signal })).data;
    },
    ["inventory", "device"],
  );
  return (
    <Section title="Inventory">
      <input
        type="search"
        aria-label="Search the inventory"
        placeholder="Search ( / )"
        onInput={({ currentTarget }) => {
          filter.value = currentTarget.value.toLowerCase();
        }}
      />
      <Loaded from={device}>
        {({ attributes = [] }) => (
          <table>
            <TableHead titles={["Attribute", "Value", "Scope"]} />
            <tbody>
              {attributes
                .filter(({ name, value }) => `${name} ${valueText(value)}`.toLowerCase().includes(filter.value))
                .map(({ name, value, scope, description }) => (
                  <tr key={`${scope}/${name}`}>
                    <td title={description}>{name}</td>
                    <td class="value">{valueText(value)}</td>
                    <td class="hint">{scope}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        )}
      </Loaded>
    </Section>
  );
}
