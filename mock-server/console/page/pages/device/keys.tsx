import { useSignal } from "@preact/signals";
import { call, type Shown } from "../../api.ts";
import { identityText } from "../../parts/devices.ts";
import { Ask, Section, TableHead } from "../../parts/frame.tsx";
import { Status } from "../../parts/status.tsx";
import { Time } from "../../parts/text.tsx";
import { mayWrite } from "../../session.tsx";

const DEVICE = "/api/management/v2/devauth/devices/{id}";

type Key = Shown<typeof DEVICE>["auth_sets"][number];
type Decision = "accepted" | "rejected" | "forgotten";

const DECISIONS = {
  accepted: { title: "Accept this key", text: "The device may log in with it and get updates.", action: "Accept" },
  rejected: { title: "Reject this key", text: "The device cannot log in with it any more.", action: "Reject" },
  forgotten: {
    title: "Dismiss this key",
    text: "The key is forgotten. If the device asks again, it is pending again.",
    action: "Dismiss",
  },
} as const;

async function decide(id: string, set: string, decision: Decision): Promise<void> {
  const params = { id, set };
  if (decision === "forgotten") await call("delete", "/api/management/v2/devauth/devices/{id}/auth/{set}", { params });
  else
    await call("put", "/api/management/v2/devauth/devices/{id}/auth/{set}/status", {
      params,
      body: { status: decision },
    });
}

export function Keys({ id, keys }: { readonly id: string; readonly keys: readonly Key[] }) {
  const asked = useSignal<{ readonly key: Key; readonly decision: Decision } | undefined>(undefined);
  const question = asked.value === undefined ? undefined : DECISIONS[asked.value.decision];
  return (
    <Section title="Keys">
      <table>
        <TableHead titles={["Status", "Identity", "First asked"]} actions="Actions" />
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td>
                <Status of={key.status} />
              </td>
              <td>
                {identityText(key.identity_data)}
                <details>
                  <summary>Public key</summary>
                  <pre>{key.pubkey}</pre>
                </details>
              </td>
              <td>
                <Time at={key.ts} />
              </td>
              <td class="actions">
                {mayWrite() &&
                  (["accepted", "rejected", "forgotten"] as const)
                    .filter((decision) => decision !== key.status)
                    .map((decision) => (
                      <button
                        key={decision}
                        type="button"
                        class={decision === "accepted" ? "primary" : ""}
                        onClick={() => {
                          asked.value = { key, decision };
                        }}
                      >
                        {DECISIONS[decision].action}
                      </button>
                    ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked.value !== undefined && question !== undefined && (
        <Ask
          {...question}
          isDangerous={asked.value.decision !== "accepted"}
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            if (asked.value !== undefined) await decide(id, asked.value.key.id, asked.value.decision);
          }}
        />
      )}
    </Section>
  );
}
