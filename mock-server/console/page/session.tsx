import { signal, useSignal } from "@preact/signals";
import { ApiError, call, onUnauthorized, type Shown } from "./api.ts";
import icon from "./icon.svg";

const SESSION = "/api/management/v1/useradm/auth/session";

type Session = Shown<typeof SESSION>;

/** `undefined` until the server has said whether there is one; `null`: there is none. */
export const session = signal<Session | null | undefined>(undefined);

onUnauthorized.call = () => {
  session.value = null;
};

/** True if the user may change something. */
export function mayWrite(): boolean {
  return session.value?.permissions.includes("write") === true;
}

export async function openSession(): Promise<void> {
  try {
    session.value = (await call("get", SESSION)).data;
  } catch (error) {
    session.value = null;
    if (!(error instanceof ApiError)) throw error;
  }
}

export async function logOut(): Promise<void> {
  await call("delete", SESSION);
  session.value = null;
}

export function LoginPage() {
  const fault = useSignal("");
  const isBusy = useSignal(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    isBusy.value = true;
    fault.value = "";
    try {
      const body = { email: String(form.get("email")), password: String(form.get("password")) };
      session.value = (await call("post", SESSION, { body })).data;
    } catch (error) {
      fault.value = loginFault(error);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <main class="login">
      <form class="card" onSubmit={submit}>
        <h1>
          <img src={icon} alt="" width="28" height="28" /> Upkeep
        </h1>
        <label>
          E-mail
          <input name="email" type="email" autocomplete="username" required />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <p role="alert" class="fault">
          {fault}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          Log in
        </button>
        <p class="hint">
          The first start of the server has shown the administrator's password. A new one:{" "}
          <code>upkeep-server user passwd E-MAIL</code>
        </p>
      </form>
    </main>
  );
}

function loginFault(error: unknown): string {
  if (!(error instanceof ApiError)) return "The server cannot be reached. Try again in a moment.";
  if (error.status === 401) return "E-mail or password is wrong.";
  return error.message;
}
