/*
 * Not an existing viewer: swagger-ui takes 1.9 MB and RapiDoc 0.86 MB in the package, for a page that must work offline;
 * this one takes 7 KB.
 */

/** The page's own code: it reads the document and makes a form of each operation. No markup is made of text. */
export const PAGE_SCRIPT = `
"use strict";
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const token = document.getElementById("token");
/** Where the paths of the document begin: a proxy may have put something before them. */
const base = new URL("..", location.href).href.replace(/\\/$/, "");

function form(path, method, operation) {
  const fields = (operation.parameters ?? []).map((parameter) => {
    const placeholder = parameter.example === undefined ? "" : String(parameter.example);
    const input = make("input", { name: parameter.name, required: parameter.required, placeholder });
    return { parameter, input };
  });
  const content = operation.requestBody?.content ?? {};
  const jsonBody = content["application/json"];
  const multipart = content["multipart/form-data"];
  const text = jsonBody && make("textarea", { rows: 6, value: JSON.stringify(jsonBody.example, null, 2) });
  const parts = Object.entries(multipart?.schema.properties ?? {}).map(([name, { contentMediaType, description }]) => ({
    name,
    input: make("input", { type: contentMediaType ? "file" : "text", title: description }),
  }));
  const result = make("pre", { className: "result" });
  const send = async () => {
    result.textContent = "…";
    let url = path;
    const query = new URLSearchParams();
    const headers = token.value === "" ? {} : { authorization: "Bearer " + token.value };
    for (const { parameter, input } of fields) {
      if (parameter.in === "path") url = url.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      else if (input.value === "") continue;
      else if (parameter.in === "header") headers[parameter.name] = input.value;
      else query.append(parameter.name, input.value);
    }
    if (query.size > 0) url += "?" + query;
    let body;
    if (text && text.value.trim() !== "") {
      headers["content-type"] = "application/json";
      body = text.value;
    } else if (parts.length > 0) {
      body = new FormData();
      for (const { name, input } of parts) {
        const value = input.type === "file" ? input.files[0] : input.value;
        if (value) body.append(name, value);
      }
    }
    try {
      const answer = await fetch(base + url, { method: method.toUpperCase(), headers, body });
      const shown = ["location", "link", "x-total-count", "etag", "retry-after", "x-men-requestid"]
        .filter((name) => answer.headers.has(name))
        .map((name) => name + ": " + answer.headers.get(name) + "\\n");
      let content = await answer.text();
      if ((answer.headers.get("content-type") ?? "").startsWith("application/json")) {
        content = JSON.stringify(JSON.parse(content), null, 2);
      }
      result.textContent = answer.status + " " + answer.statusText + "\\n" + shown.join("") + "\\n" + content;
    } catch (error) {
      result.textContent = String(error);
    }
  };
  const rows = [
    ...fields.map(({ parameter, input }) =>
      make("label", {}, parameter.name + (parameter.required ? " *" : ""), input)),
    ...parts.map(({ name, input }) => make("label", {}, name, input)),
  ];
  if (text) rows.push(make("label", {}, "body", text));
  return make("form", { onsubmit: (event) => { event.preventDefault(); send(); } },
    ...rows, make("button", {}, "Send"), result);
}

function show(path, method, operation) {
  const open = operation.security.length === 0 ? "open" : Object.keys(operation.security[0])[0].replace("Token", "");
  const details = make("details", {},
    make("summary", {},
      make("b", { className: method }, method.toUpperCase()), " ",
      make("code", {}, path), " ",
      make("span", {}, operation.summary), " ",
      make("small", {}, open)));
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    const answers = Object.entries(operation.responses).map(([status, { description }]) =>
      make("li", {}, status + ": " + description));
    details.append(form(path, method, operation), make("ul", {}, ...answers));
  });
  return details;
}

async function main() {
  const answer = await fetch("openapi.json");
  const { info, paths } = await answer.json();
  document.getElementById("about").textContent = info.description;
  const sections = new Map();
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const [tag] = operation.tags;
      if (!sections.has(tag)) sections.set(tag, make("section", {}, make("h2", {}, tag)));
      sections.get(tag).append(show(path, method, operation));
    }
  }
  document.getElementById("operations").replaceChildren(...sections.values());
}

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = event.target.elements;
  const bytes = new TextEncoder().encode(email.value + ":" + password.value);
  const authorization = "Basic " + btoa(String.fromCharCode(...bytes));
  const answer = await fetch(base + "/api/management/v1/useradm/auth/login", { method: "POST", headers: { authorization } });
  const text = await answer.text();
  if (answer.ok) token.value = text;
  document.getElementById("said").textContent = answer.ok ? "logged in" : text;
  password.value = "";
});
main().catch((error) => { document.getElementById("operations").textContent = String(error); });
`;

export const PAGE_STYLE = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
form { display: grid; gap: .5rem; margin: .5rem 0; }
label { display: grid; grid-template-columns: 12rem 1fr; gap: .5rem; align-items: start; }
input, textarea, button { font: inherit; padding: .25rem .4rem; }
textarea, pre, code { font-family: ui-monospace, monospace; font-size: 13px; }
button { justify-self: start; }
details { border-top: 1px solid #8884; padding: .35rem 0; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4.2rem; }
summary small { opacity: .6; }
.get { color: #2a7; } .post { color: #37c; } .put, .patch { color: #b70; } .delete { color: #c33; }
.result { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto; margin: 0; }
`;

/** Everything in one file: nothing is loaded from anywhere else. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Upkeep server: API</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<h1>Upkeep server</h1>
<p id="about"></p>
<form id="login">
<label>E-mail <input name="email" type="email" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Log in</button> <span id="said"></span>
</form>
<label>Token <input id="token" autocomplete="off" spellcheck="false"></label>
<main id="operations">Reading the document…</main>
<noscript>This page needs JavaScript; the document itself is <a href="openapi.json">here</a>.</noscript>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
