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
