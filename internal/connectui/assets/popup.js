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
  if (!id) hangUp(of); // an answer that comes late would promise a result that goes elsewhere
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

const hangUp = ({ socket }) => {
  if (!socket) return;
  socket.onclose = socket.onmessage = socket.onerror = null;
  socket.close();
};

// popupSaid hears the page that the window ends on. The socket says more, so it
// is given a moment. The provider's pages are in that window as well: what is not
// said by ours counts only where there is no socket (a callback address may be the
// customer's), and can't name a connection.
const popupSaid = (data, origin) => {
  const of = flow;
  const ours = origin === new URL(api).origin;
  if (!ours && of.id) return;
  if (data.type === "nango_oauth_callback_success") {
    of.popup?.postMessage({ type: "nango_oauth_callback_ack" }, "*");
    of.told = true;
    const { providerConfigKey, connectionId } = data.payload ?? {};
    if (ours && providerConfigKey === of.key && typeof connectionId === "string") succeed(of, connectionId);
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
    if (flow?.sent && !flow.id && e.data?.type?.startsWith("nango_oauth_callback_")) popupSaid(e.data, e.origin);
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
  const { popup, timer, redial } = flow;
  hangUp(flow);
  flow = null;
  clearInterval(timer);
  clearTimeout(redial);
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
