import type { ComponentType } from "preact";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { LocationProvider, lazy, Route, Router, useLocation } from "preact-iso";
import icon from "./icon.svg";
import { follow, stream } from "./live.ts";
import { OverviewPage } from "./pages/overview.tsx";
import { BASE, pageUrl } from "./parts/address.ts";
import { isUtc, setUtc } from "./parts/text.tsx";
import { LoginPage, logOut, openSession, session } from "./session.tsx";
import "./style.css";

const page = (load: () => Promise<ComponentType>): ComponentType => lazy(async () => ({ default: await load() }));

/** Each page, and in the menu its name. */
const PAGES = [
  { path: "/", name: "Overview", page: OverviewPage },
  { path: "/devices", name: "Devices", page: page(async () => (await import("./pages/devices.tsx")).DevicesPage) },
  { path: "/devices/:id", page: page(async () => (await import("./pages/device.tsx")).DevicePage) },
  { path: "/groups", name: "Groups", page: page(async () => (await import("./pages/groups.tsx")).GroupsPage) },
  { path: "/releases", name: "Releases", page: page(async () => (await import("./pages/releases.tsx")).ReleasesPage) },
  { path: "/releases/:name", page: page(async () => (await import("./pages/release.tsx")).ReleasePage) },
  {
    path: "/deployments",
    name: "Deployments",
    page: page(async () => (await import("./pages/deployments.tsx")).DeploymentsPage),
  },
  { path: "/deployments/new", page: page(async () => (await import("./pages/new-deployment.tsx")).NewDeploymentPage) },
  { path: "/deployments/:id", page: page(async () => (await import("./pages/deployment.tsx")).DeploymentPage) },
  ...(document.querySelector('meta[name="upkeep-test-controls"]') === null
    ? []
    : [
        {
          path: "/scenarios",
          name: "Scenarios",
          page: page(async () => (await import("./pages/scenarios.tsx")).ScenariosPage),
        },
      ]),
  { path: "/users", name: "Users", page: page(async () => (await import("./pages/users.tsx")).UsersPage) },
];

const STREAM_TEXTS = { connecting: "connecting…", live: "live", broken: "reconnecting…" } as const;

function NotFound() {
  return (
    <div class="empty">
      <h1>There is no such page</h1>
      <p>
        <a href={pageUrl("/")}>To the overview</a>
      </p>
    </div>
  );
}

function Menu() {
  const { path } = useLocation();
  const own = path.slice(BASE.length) || "/";
  const list = useRef<HTMLUListElement>(null);
  // On a telephone the menu is wider than the screen.
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [own]);
  return (
    <nav class="menu" aria-label="Pages">
      <a class="brand" href={pageUrl("/")}>
        <img src={icon} alt="" width="24" height="24" /> Upkeep
      </a>
      <ul ref={list}>
        {PAGES.flatMap(({ path: target, name }) =>
          name === undefined ? (
            []
          ) : (
            <li key={target}>
              <a
                href={pageUrl(target)}
                aria-current={own === target || (target !== "/" && own.startsWith(`${target}/`)) ? "page" : undefined}
              >
                {name}
              </a>
            </li>
          ),
        )}
      </ul>
      <div class="session">
        <span class={`stream ${stream.value}`} role="status">
          {STREAM_TEXTS[stream.value]}
        </span>
        <button type="button" class="plain" aria-pressed={isUtc.value} onClick={() => setUtc(!isUtc.value)}>
          {isUtc.value ? "UTC" : "Local time"}
        </button>
        {session.value?.user !== undefined && (
          <>
            <span class="who" title={`role: ${session.value.role}`}>
              {session.value.user.email}
            </span>
            <button type="button" class="plain" onClick={() => void logOut()}>
              Log out
            </button>
          </>
        )}
      </div>
    </nav>
  );
}

/** `/` puts the cursor into the page's search box; Escape leaves it. */
function onKey(event: KeyboardEvent): void {
  const box = document.querySelector<HTMLInputElement>("input[type=search]");
  const isTyping = event.target instanceof HTMLElement && event.target.closest("input, textarea, select") !== null;
  if (event.key === "/" && !isTyping && box !== null) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape" && event.target === box) box?.blur();
}

function Shell() {
  const main = useRef<HTMLElement>(null);
  useEffect(() => follow(), []);
  useEffect(() => {
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <LocationProvider>
      <a class="skip" href="#main">
        To the content
      </a>
      <Menu />
      <main id="main" ref={main} tabIndex={-1}>
        <Router onRouteChange={() => main.current?.focus({ preventScroll: true })}>
          {PAGES.map(({ path, page: Page }) => (
            <Route key={path} path={BASE + path} component={Page} />
          ))}
          <Route default component={NotFound} />
        </Router>
      </main>
    </LocationProvider>
  );
}

function App() {
  if (session.value === undefined) return <p class="hint">Loading…</p>;
  return session.value === null ? <LoginPage /> : <Shell />;
}

render(<App />, document.body);
void openSession();
