// The script of Connect UI. The views come from the server, htmx puts them in;
// this holds the session token, talks to the page around (wire contract §6.5),
// checks forms (form.js), and waits for the provider's window (§6.4 and §8.4,
// popup.js). The server joins the files into one module; keys.js ends it.

const { base, api, lang, theme } = document.body.dataset;
const flag = (name) => name in document.body.dataset;
const root = document.documentElement;
const view = document.getElementById("view");
const sheet = document.getElementById("sheet");
const embedded = window.parent !== window;
const detectClosed = flag("detect");

let token = "";
let first = true;
let kept = new Map(); // secrets of a form that comes back with problems
let flow = null; // the authorization in another window
let reported = ""; // the connection that the page around was told of

// ---- The page around -------------------------------------------------------

const tell = (message) => {
  if (embedded) window.parent.postMessage(message, "*");
};

const close = (event) => {
  count(event);
  endFlow();
  tell({ type: "close" });
};

// count reports what happened, for the log of the session (§4.13).
const count = (event, integration) => {
  if (!token || !event) return;
  const body = { token, event, timestamp: new Date().toISOString() };
  if (integration) body.dimensions = { integration };
  try {
    navigator.sendBeacon(api + "/connect/telemetry", new Blob([JSON.stringify(body)], { type: "application/json" }));
  } catch {
    // A report that can't be sent is not worth a word.
  }
};

window.addEventListener("message", (e) => {
  const data = e.data;
  if (!data || typeof data !== "object") return;
  if (embedded && e.source === window.parent) {
    if (data.type === "session_token" && typeof data.sessionToken === "string") begin(data.sessionToken);
    if (data.type === "settings_changed" && flag("preview") && data.payload) preview(data.payload);
  }
  if (flow && flow.popup && e.source === flow.popup) popupSaid(data, e.origin);
});

const preview = async (settings) => {
  const colours = new URLSearchParams();
  for (const name of ["light", "dark"]) colours.set(name, settings.theme?.[name]?.primary ?? "");
  try {
    const answer = await fetch(`${base}/look?${colours}`);
    if (answer.ok) dress(await answer.json(), theme || settings.defaultTheme, settings.showWatermark !== false);
  } catch {
    // The next change of the settings tries again.
  }
};

// dress applies the colours that the server derived, and the theme.
const dress = (look, chosen, secured) => {
  for (const name of ["light", "dark"]) {
    for (const [key, value] of Object.entries(look[name])) root.style.setProperty(`--${name[0]}-${key}`, value);
  }
  root.dataset.theme = chosen || "system";
  const note = document.getElementById("secured");
  if (note) note.hidden = !secured;
};

// ---- Views -------------------------------------------------------------------

const load = (path, values) => {
  again = () => load(path, values);
  return htmx.ajax("POST", base + path, { target: view, swap: "innerHTML", source: document.body, values: values ?? {} });
};
let again = () => load("");

const begin = (given) => {
  if (given === token) return; // told twice
  endFlow();
  token = given;
  reported = "";
  count("open");
  load("");
};

const show = (id) => {
  view.replaceChildren(document.getElementById(id).content.cloneNode(true));
  entered();
};

document.addEventListener("htmx:configRequest", (e) => {
  if (token) e.detail.headers.Authorization = "Bearer " + token;
  for (const name of ["session_token", "theme"]) delete e.detail.parameters[name];
  e.detail.parameters.lang = lang;
  if (theme) e.detail.parameters.theme = theme;
});

// offline says that the server did not answer. What was entered stays.
const offline = (e) => {
  if (e.target.id !== "connect") return show("offline");
  busy(view.querySelector("[aria-busy=true]"), false);
  const from = document.getElementById("offline").content;
  const text = (tag, selector) => Object.assign(document.createElement(tag), { textContent: from.querySelector(selector).textContent });
  const words = document.createElement("div");
  words.append(text("b", "h1"), text("p", ".lead"));
  const alert = document.getElementById("alert");
  alert.replaceChildren(from.querySelector(".badge .icon").cloneNode(true), words);
  alert.hidden = false;
  alert.focus();
};

for (const failure of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(failure, offline);

// While a server restarts, something in front of it may answer in its place.
document.addEventListener("htmx:beforeSwap", (e) => {
  if (/ class="view[ "]| id="results"/.test(e.detail.serverResponse)) return;
  e.detail.shouldSwap = false;
  offline(e.detail.requestConfig?.elt ? { target: e.detail.requestConfig.elt } : e);
});

document.addEventListener("htmx:beforeRequest", (e) => {
  const form = e.target.closest?.("form#connect");
  if (form && e.target === form) {
    kept = new Map([...form.querySelectorAll("input[data-reveal-of], input[type=password]")].map((i) => [i.name, i.value]));
    busy(form.querySelector("button[type=submit]"), true);
  }
  // The sheet keeps its height while results change, so that nothing moves
  // under the hands of somebody who types.
  if (e.detail.target?.id === "results") sheet.style.setProperty("--kept", `${sheet.offsetHeight}px`);
});

document.addEventListener("htmx:afterSwap", (e) => {
  if (e.detail.target === view) entered();
  else if (document.getElementById("results")) found();
});

// entered makes a new view ready: colours, focus, events.
const entered = () => {
  const now = view.querySelector(".view");
  if (!now) return;
  const data = now.dataset;
  sheet.style.removeProperty("--kept");
  if (data.look) dress(JSON.parse(data.look), data.theme, "secured" in data);
  prepare(now);
  count(data.event, data.integration);
  if (data.view !== "loading") document.title = now.querySelector("h1")?.textContent ?? document.title;
  if (!first) now.dataset.enter = "";
  focusOn(now);
  first = false;
  if (data.error && window.name.startsWith("connect-")) sayToOpener(data);
  if (data.error) tell({ type: "error", payload: { errorType: data.error, errorMessage: data.message ?? "" } });
  if (data.view === "done") finished(data);
};

// sayToOpener tells the page that waits for this window that it got no further
// than a page of ours.
const sayToOpener = ({ error, message }) =>
  window.opener?.postMessage({ type: "nango_oauth_callback_error", payload: { errorType: error, message: message ?? "" } }, "*");

const focusOn = (now) => {
  const bad = now.querySelector("[aria-invalid=true]");
  const search = matchMedia("(pointer: fine)").matches && now.querySelector("input[type=search]");
  const heading = now.querySelector("h1");
  // A page of its own must not take the focus as it loads.
  if (!first || embedded) (bad ?? (search || heading))?.focus({ preventScroll: !bad });
  if (!bad) sheet.scrollTop = 0;
};

// connected tells the page around, once for each connection.
const connected = (providerConfigKey, connectionId) => {
  if (!connectionId || reported === `${providerConfigKey} ${connectionId}`) return;
  reported = `${providerConfigKey} ${connectionId}`;
  tell({ type: "connect", payload: { providerConfigKey, connectionId } });
};

const finished = (data) => {
  connected(data.integration, data.connection);
  const shown = view.firstElementChild;
  if (embedded) setTimeout(() => shown.isConnected && close("click:finish"), 3000);
};

const announce = (text) => {
  document.getElementById("status").textContent = text;
};

const found = () => {
  const results = document.getElementById("results");
  announce(results.dataset.found);
  if (shownBefore) [...results.querySelectorAll(".items:last-of-type > li > .item")][shownBefore]?.focus();
  shownBefore = 0;
};
let shownBefore = 0;
