import { useSignal } from "@preact/signals";
import { call, type Listed, reasonOf } from "../api.ts";
import { Ask, Dialog, DialogButton, Fault, Loaded, Section, TableHead } from "../parts/frame.tsx";
import { Time } from "../parts/text.tsx";
import { useResource } from "../resource.ts";
import { mayWrite, session } from "../session.tsx";

const USERS = "/api/management/v1/useradm/users";
const TOKENS = "/api/management/v1/useradm/settings/tokens";
type User = Listed<typeof USERS>;
type Role = User["role"];

const ROLES: Readonly<Record<Role, string>> = {
  admin: "everything",
  "read-only": "sees everything, changes nothing",
  "ci-upload": "uploads artifacts: for build machines",
};

const DAY_S = 86_400;

function RoleChoice({ value, change }: { readonly value: Role; readonly change: (role: Role) => void }) {
  return (
    <select
      aria-label="Role"
      name="role"
      value={value}
      onChange={({ currentTarget }) => change(currentTarget.value as Role)}
    >
      {Object.entries(ROLES).map(([role, text]) => (
        <option key={role} value={role}>
          {role}: {text}
        </option>
      ))}
    </select>
  );
}

function NewUser({ onClose }: { readonly onClose: () => void }) {
  const role = useSignal<Role>("read-only");
  const fault = useSignal("");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const body = { email: String(form.get("email")), password: String(form.get("password")), role: role.value };
    try {
      await call("post", USERS, { body });
      onClose();
    } catch (error) {
      fault.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="New user" onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          E-mail
          <input name="email" type="email" required autocomplete="off" />
        </label>
        <label>
          Password
          <input name="password" type="password" required minLength={8} autocomplete="new-password" />
        </label>
        <RoleChoice
          value={role.value}
          change={(chosen) => {
            role.value = chosen;
          }}
        />
        <Fault text={fault.value} />
        <div class="actions">
          <button type="submit" class="primary">
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function NewToken({ onClose }: { readonly onClose: () => void }) {
  const token = useSignal("");
  const fault = useSignal("");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const body = { name: String(form.get("name")), expires_in: Number(form.get("days")) * DAY_S };
    try {
      token.value = String((await call("post", TOKENS, { body })).data);
    } catch (error) {
      fault.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="New token" onClose={onClose}>
      {token.value === "" ? (
        <form onSubmit={submit}>
          <label>
            Name
            <input name="name" required />
          </label>
          <label>
            Good for how many days (0: for ever)
            <input name="days" type="number" min="0" max="365" defaultValue="90" required />
          </label>
          <Fault text={fault.value} />
          <div class="actions">
            <button type="submit" class="primary">
              Make
            </button>
          </div>
        </form>
      ) : (
        <>
          <p>The token is shown only now:</p>
          <pre class="token">{token.value}</pre>
          <div class="actions">
            <button type="button" onClick={() => void navigator.clipboard?.writeText(token.value)}>
              Copy
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function Tokens() {
  const tokens = useResource("tokens", async (signal) => (await call("get", TOKENS, { signal })).data);
  const revoke = async (id: string): Promise<void> => {
    await call("delete", `${TOKENS}/{id}`, { params: { id } });
    tokens.reload();
  };
  return (
    <Section
      title="My tokens, for programs"
      actions={
        <DialogButton label="New token">
          {(close) => (
            <NewToken
              onClose={() => {
                close();
                tokens.reload();
              }}
            />
          )}
        </DialogButton>
      }
    >
      <Loaded from={tokens}>
        {(list) =>
          list.length === 0 ? (
            <p class="hint">None.</p>
          ) : (
            <table class="wide">
              <TableHead titles={["Name", "Made", "Last used", "Good until"]} actions="Actions" />
              <tbody>
                {list.map(({ id, name, created_ts, last_used, expiration_date }) => (
                  <tr key={id}>
                    <td data-label="Name">{name}</td>
                    <td data-label="Made">
                      <Time at={created_ts} />
                    </td>
                    <td data-label="Last used">
                      <Time at={last_used} />
                    </td>
                    <td data-label="Good until">
                      {expiration_date === undefined ? "for ever" : <Time at={expiration_date} />}
                    </td>
                    <td class="actions">
                      <button type="button" onClick={() => void revoke(id)}>
                        Revoke
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </Section>
  );
}

function Row({ user, remove }: { readonly user: User; readonly remove: () => void }) {
  const fault = useSignal("");
  const isOneself = user.id === session.value?.user?.id;
  const change = async (role: Role): Promise<void> => {
    fault.value = "";
    try {
      await call("put", `${USERS}/{id}`, { params: { id: user.id }, body: { role } });
    } catch (error) {
      fault.value = reasonOf(error);
    }
  };
  return (
    <tr>
      <td data-label="E-mail">
        {user.email} {isOneself && <span class="hint">(you)</span>}
        <Fault text={fault.value} />
      </td>
      <td data-label="Role">
        {mayWrite() && !isOneself ? <RoleChoice value={user.role} change={(role) => void change(role)} /> : user.role}
      </td>
      <td data-label="Added">
        <Time at={user.created_ts} />
      </td>
      <td class="actions">
        {mayWrite() && !isOneself && (
          <button type="button" class="danger" onClick={remove}>
            Remove
          </button>
        )}
      </td>
    </tr>
  );
}

export function UsersPage() {
  const asked = useSignal<User | undefined>(undefined);
  const users = useResource("users", async (signal) => (await call("get", USERS, { signal })).data, ["user"]);
  const user = asked.value;
  return (
    <>
      <h1>Users</h1>
      <Section
        title="Users"
        actions={mayWrite() && <DialogButton label="New user">{(close) => <NewUser onClose={close} />}</DialogButton>}
      >
        <Loaded from={users}>
          {(list) => (
            <table class="wide">
              <TableHead titles={["E-mail", "Role", "Added"]} actions="Actions" />
              <tbody>
                {list.map((one) => (
                  <Row
                    key={one.id}
                    user={one}
                    remove={() => {
                      asked.value = one;
                    }}
                  />
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
      </Section>
      {session.value?.user !== undefined && <Tokens />}
      {user !== undefined && (
        <Ask
          title="Remove this user"
          text={`${user.email} cannot log in any more; all tokens of this user are worthless.`}
          action="Remove"
          isDangerous
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            await call("delete", `${USERS}/{id}`, { params: { id: user.id } });
          }}
        />
      )}
    </>
  );
}
