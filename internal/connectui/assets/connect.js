// The script of Connect UI. The views come from the server, htmx puts them in;
// this holds the session token, talks to the page around (wire contract §6.5),
// checks forms, and waits for the provider's window (§6.4 and §8.4).

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
  if (flow && flow.popup && e.source === flow.popup) popupSaid(data);
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
  if (embedded) setTimeout(() => view.querySelector("[data-view=done]") && close("click:finish"), 3000);
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

// ---- Forms -------------------------------------------------------------------

// prepare makes a view work with scripts: the token leaves the page, inputs check
// themselves, secrets can be shown.
const prepare = (now) => {
  for (const input of now.querySelectorAll("[data-carried]")) if (!input.form.elements.ws_client_id) input.remove();
  for (const button of now.querySelectorAll("[data-reveal]")) {
    const input = document.getElementById(button.dataset.reveal);
    input.dataset.revealOf = "";
    button.hidden = false;
    if (!input.value && kept.has(input.name)) input.value = kept.get(input.name);
  }
  kept.clear();
  for (const field of now.querySelectorAll(".field")) caution(field);
  depend(now);
};

const controls = (form) => [...form.querySelectorAll(".field input, .field select")].filter((c) => !c.disabled);

// tidy gives an input the value that is meant: no spaces around, and no prefix or
// suffix that was pasted along. The server does the same.
const tidy = (value, { prefix, suffix }) => {
  value = value.trim();
  if (prefix && value.toLowerCase().startsWith(prefix.toLowerCase())) value = value.slice(prefix.length);
  if (!suffix) return value;
  const at = value.toLowerCase().indexOf(suffix.toLowerCase());
  const after = value[at + suffix.length];
  return at > 0 && (after === undefined || "/?#:".includes(after)) ? value.slice(0, at) : value;
};

const formats = {
  hostname: (v) => /^[\p{L}\p{N}.-]+$/u.test(v),
  uri: (v) => URL.canParse?.(v) ?? /^[a-z][a-z0-9+.-]*:/i.test(v),
  uuid: (v) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(v),
  email: (v) => /^[^\s@<>]+@[^\s@<>]+$/.test(v),
};

const problemOf = (control) => {
  const { required, format, formatInvalid, pattern, invalid } = control.dataset;
  if (!control.value) return required ?? "";
  if (format && formats[format] && !formats[format](control.value)) return formatInvalid;
  if (!pattern) return "";
  try {
    return new RegExp(pattern).test(control.value) ? "" : invalid;
  } catch {
    return ""; // the server decides
  }
};

const check = (control) => {
  if (control.tagName === "INPUT") {
    const value = tidy(control.value, control.dataset);
    if (value !== control.value) control.value = value;
  }
  return mark(control, problemOf(control));
};

const mark = (control, problem) => {
  const field = control.closest(".field");
  field.classList.toggle("bad", Boolean(problem));
  field.querySelector(".error").textContent = problem;
  if (problem) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
  return problem;
};

// depend shows the inputs whose condition holds.
const depend = (now) => {
  for (const field of now.querySelectorAll("[data-when]")) {
    const other = now.querySelector(`[name="${CSS.escape(field.dataset.when)}"]`);
    const shown = Boolean(other) && !other.disabled && other.value === field.dataset.equals;
    field.hidden = !shown;
    field.querySelector("input, select").disabled = !shown;
  }
};

const caution = (field) => {
  const text = field.querySelector("[data-caution-text]");
  if (!text) return;
  text.textContent = field.querySelector("select").selectedOptions[0]?.dataset.caution ?? "";
  text.hidden = !text.textContent;
};

const valid = (form) => {
  controls(form).forEach(check);
  const bad = form.querySelector("[aria-invalid=true]");
  bad?.focus();
  return !bad;
};

const busy = (button, on) => {
  const text = button?.querySelector("span");
  if (!text) return;
  button.dataset.idle ??= text.textContent;
  text.textContent = on ? button.dataset.busy : button.dataset.idle;
  if (on) {
    button.setAttribute("aria-busy", "true");
    announce(button.dataset.busy);
  } else button.removeAttribute("aria-busy");
};

document.addEventListener("focusout", (e) => {
  if (!e.target.matches?.(".field input, .field select") || !e.target.value) return;
  const problem = check(e.target);
  // The focus is elsewhere by now, so that nobody reads out what appeared here.
  if (problem) announce(`${e.target.labels[0]?.firstChild.textContent.trim()}: ${problem}`);
});

document.addEventListener("change", (e) => {
  const field = e.target.closest?.(".field");
  if (!field) return;
  if (e.target.tagName === "SELECT") check(e.target);
  caution(field);
  depend(view);
});

// While somebody corrects a value, it is no longer called wrong.
document.addEventListener("input", (e) => {
  if (e.target.matches?.(".field input[aria-invalid=true]")) mark(e.target, "");
});

document.addEventListener("paste", (e) => {
  if (!e.target.matches?.(".field input") || e.target.selectionStart === null) return;
  const text = e.clipboardData?.getData("text") ?? "";
  const clean = tidy(text, e.target.dataset);
  if (clean === text) return;
  e.preventDefault();
  const { selectionStart: from, selectionEnd: to } = e.target;
  e.target.setRangeText(clean, from, to, "end");
  e.target.dispatchEvent(new Event("input", { bubbles: true }));
});

// It listens before htmx does, and keeps a form with problems back.
document.addEventListener(
  "submit",
  (e) => {
    if (e.target.id !== "connect") {
      e.preventDefault(); // htmx listens at the buttons
      return;
    }
    if (e.target.querySelector("[aria-busy=true]") || !valid(e.target)) {
      e.preventDefault();
      e.stopPropagation();
    } else if ("popup" in e.target.dataset && !e.target.elements.ws_client_id) {
      e.preventDefault();
      startFlow(e.target);
    }
  },
  true,
);

// ---- The provider's window ---------------------------------------------------

const features = (width, height) => {
  const left = Math.max(0, window.screenX + (window.outerWidth - width) / 2);
  const top = Math.max(0, window.screenY + (window.outerHeight - height) / 2);
  return `popup=yes,width=${width},height=${height},left=${Math.round(left)},top=${Math.round(top)},scrollbars=yes,resizable=yes`;
};

const step = (name) => {
  for (const part of view.querySelectorAll("[data-step]")) part.hidden = part.dataset.step !== name;
  view.querySelector(`[data-step=${name}] h1`)?.focus();
};

const patience = 3600e3; // how long a lost socket is replaced, in milliseconds

// startFlow must open the window before anything else: browsers allow it only in
// answer to a click.
const startFlow = (form) => {
  endFlow();
  const name = "connect-" + Math.random().toString(36).slice(2);
  const popup = window.open("", name, features(540, 680));
  flow = { form, key: view.querySelector(".view").dataset.integration, popup, name, until: performance.now() + patience };
  if (!popup || popup.closed) {
    count("popup:blocked_by_browser", flow.key);
    tell({ type: "error", payload: { errorType: "blocked_by_browser", errorMessage: view.querySelector("[data-step=blocked] h1").textContent } });
    step("blocked");
    return;
  }
  step("wait");
  listen(flow).then((id) => send(flow, id, name));
  watch(flow);
};

// send lets another window submit the form, so that neither the token nor what
// was entered is ever part of an address.
const send = (of, id, target) => {
  if (of !== flow) return;
  const values = { session_token: token, lang, theme, ws_client_id: id };
  const added = Object.entries(values).map(([name, value]) => Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  of.form.append(...added);
  of.sent = true;
  of.form.target = target;
  HTMLFormElement.prototype.submit.call(of.form);
  of.form.removeAttribute("target");
  for (const input of added) input.remove();
};

// listen opens the socket that tells the result, and returns the name that the
// result must go to. Without a socket the window itself has to tell.
const listen = (of) =>
  new Promise((resolve) => {
    setTimeout(() => resolve(""), 8000);
    dial(of, resolve);
  });

const dial = (of, named) => {
  const address = new URL(api + "/");
  address.protocol = address.protocol.replace("http", "ws");
  if (of.id) address.searchParams.set("ws_client_id", of.id);
  try {
    of.socket = new WebSocket(address);
  } catch {
    named("");
    return;
  }
  of.socket.onmessage = (e) => {
    const message = JSON.parse(e.data);
    if (message.message_type === "connection_ack") {
      of.id ??= message.ws_client_id;
      of.tries = 0;
      named(of.id);
    }
    if (message.message_type === "success") succeed(of, message.connection_id);
    if (message.message_type === "error") fail(of, message.error_type, message.error_desc);
  };
  of.socket.onclose = () => {
    of.socket = null;
    named("");
    // The server restarts, or the line was cut: the result waits under our name.
    if (of !== flow || !of.id || performance.now() > of.until) return;
    of.tries = (of.tries ?? 0) + 1;
    of.redial = setTimeout(() => dial(of, named), Math.min(500 * 2 ** of.tries, 20000));
  };
};

// popupSaid hears the page that the window ends on. The socket says more, so it
// is given a moment.
const popupSaid = (data) => {
  const of = flow;
  if (data.type === "nango_oauth_callback_success") {
    of.popup?.postMessage({ type: "nango_oauth_callback_ack" }, "*");
    of.told = true;
    const { providerConfigKey, connectionId } = data.payload ?? {};
    if (providerConfigKey === of.key && typeof connectionId === "string") succeed(of, connectionId);
    else setTimeout(() => succeed(of, ""), of.id ? 3000 : 0);
  }
  if (data.type === "nango_oauth_callback_error") {
    of.told = true;
    const { errorType, message } = data.payload ?? {};
    if (errorType === "authorization_pending" && of.id) return; // the socket tells the end
    setTimeout(() => fail(of, errorType ?? "unknown_err", message ?? ""), of.id ? 500 : 0);
  }
};

// A window that was cut off from this page can still be heard. Others may wait
// for windows of their own, so it counts only when nothing else can tell.
try {
  new BroadcastChannel("nango-oauth-callback").onmessage = (e) => {
    if (flow?.sent && !flow.id && e.data?.type?.startsWith("nango_oauth_callback_")) popupSaid(e.data);
  };
} catch {
  // Storage is off: the socket and the window are left.
}

// watch notices that the window was closed. Some providers cut the window off,
// which looks the same; so it ends the flow only if the page around asked for it.
const watch = (of) => {
  of.timer = setInterval(() => {
    if (of !== flow) return clearInterval(of.timer);
    if (!of.popup?.closed) return;
    clearInterval(of.timer);
    setTimeout(() => {
      if (of !== flow || of.told) return;
      count("popup:closed_early", of.key);
      if (detectClosed || !embedded) fail(of, "window_closed", "");
      else {
        const note = view.querySelector("[data-closed]");
        if (note) note.textContent = note.dataset.text;
      }
    }, 1500);
  }, 500);
};

const succeed = (of, connection) => {
  if (of !== flow) return;
  endFlow(500);
  connected(of.key, connection);
  load(`/integrations/${encodeURIComponent(of.key)}/done`, { connection_id: connection });
};

const fail = (of, code, message) => {
  if (of !== flow) return;
  endFlow(500);
  load(`/integrations/${encodeURIComponent(of.key)}/problem`, { code, message });
};

const endFlow = (delay = 0) => {
  if (!flow) return;
  const { popup, socket, timer, redial } = flow;
  flow = null;
  clearInterval(timer);
  clearTimeout(redial);
  if (socket) {
    socket.onclose = socket.onmessage = socket.onerror = null;
    socket.close();
  }
  if (popup) setTimeout(() => popup.close(), delay);
};

// direct opens the provider in a tab: the same one, unless that is somebody
// else's page.
const direct = () => {
  if (!flow) return;
  const of = flow;
  if (!embedded) {
    send(of, "", "_self");
    return;
  }
  of.popup = null;
  // The tab must open in answer to the click, so it can't wait for the socket.
  const tab = window.open("", of.name);
  of.popup = tab;
  step("wait");
  listen(of).then((id) => send(of, id, tab ? of.name : "_blank"));
  if (tab) watch(of);
};

// ---- Keys and clicks ---------------------------------------------------------

document.addEventListener("click", (e) => {
  const hit = (selector) => e.target.closest?.(selector);
  const counted = hit("[data-count]");
  if (counted) count(counted.dataset.count, counted.dataset.integration ?? view.querySelector(".view")?.dataset.integration);
  const closer = hit("[data-close]");
  if (closer) return close(closer.dataset.close);
  const reveal = hit("[data-reveal]");
  if (reveal) {
    const input = document.getElementById(reveal.dataset.reveal);
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(shown));
    return;
  }
  const more = hit("[data-more]");
  if (more) shownBefore = Number(more.dataset.more);
  if (hit("[data-reopen]") && flow) {
    if (flow.popup && !flow.popup.closed) flow.popup.focus();
    else startFlow(flow.form);
  }
  if (hit("[data-direct]")) direct();
  if (hit("[data-cancel]")) {
    endFlow();
    step("form");
  }
  if (hit("[data-retry]")) token ? again() : location.reload();
});

// A click beside the modal closes it, if it also began there.
let pressedOutside = false;
const isOutside = (e) => embedded && (e.target.id === "stage" || e.target === document.body || e.target === root);
document.addEventListener("pointerdown", (e) => (pressedOutside = isOutside(e)));
document.addEventListener("pointerup", (e) => pressedOutside && isOutside(e) && close("click:outside"));

document.addEventListener("keydown", (e) => {
  if (e.isComposing) return; // these keys choose characters
  if (e.key === "Escape" && embedded && !(e.target.type === "search" && e.target.value)) close("click:close");
  if (e.key === "Tab" && embedded) trap(e);
  const item = e.target.closest?.(".item, input[type=search]");
  if (item) arrows(e, item);
});

// trap keeps the focus in the modal.
const trap = (e) => {
  const stops = [...view.querySelectorAll("a[href], button, input, select, summary")].filter((s) => !s.disabled && s.getClientRects().length);
  const last = stops.at(-1);
  const out = e.shiftKey ? document.activeElement === stops[0] || !view.contains(document.activeElement) : document.activeElement === last;
  if (!out || !last) return;
  e.preventDefault();
  (e.shiftKey ? last : stops[0]).focus();
};

const arrows = (e, at) => {
  const items = [...view.querySelectorAll("button.item")];
  const search = view.querySelector("input[type=search]");
  const index = items.indexOf(at);
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: index < 0 ? NaN : 0, End: index < 0 ? NaN : items.length - 1 }[e.key];
  if (to === undefined || Number.isNaN(to)) {
    if (e.key === "Enter" && at === search) {
      e.preventDefault();
      if (search.value) items[0]?.focus();
    }
    return;
  }
  if (index < 0 && e.key === "ArrowUp") return;
  e.preventDefault();
  (to < 0 ? search : items[Math.min(to, items.length - 1)])?.focus();
};

// ---- Begin -------------------------------------------------------------------

root.toggleAttribute("data-embedded", embedded);
if (embedded) {
  sheet.setAttribute("role", "dialog");
  sheet.setAttribute("aria-modal", "true");
  sheet.setAttribute("aria-labelledby", "title");
}

const address = new URL(location.href);
token = address.searchParams.get("session_token") ?? "";
if (token) {
  // The token must not stay in the address bar, in the history or in a bookmark.
  address.searchParams.delete("session_token");
  history.replaceState(null, "", address);
  count("open");
}
if (!view.querySelector("[data-view=loading]")) {
  token ||= document.querySelector("input[name=session_token]")?.value ?? "";
  entered();
} else if (embedded) {
  entered();
  tell({ type: "ready" });
} else {
  show("missing");
}
