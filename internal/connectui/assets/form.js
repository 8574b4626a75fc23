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
