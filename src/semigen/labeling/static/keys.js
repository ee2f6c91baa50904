// Keys: one press is one answer. They can be turned off, since single letters get in the way of speech input.

import { find } from "./dom.js";

const STORE = "semigen-keys";

/** What the browser keeps for the next visit; in a frame it may not let us. */
function stored(value) {
  try {
    if (value) localStorage.setItem(STORE, value);
    return localStorage.getItem(STORE);
  } catch {
    return value ?? null;
  }
}

export function bind(actions) {
  const box = find("keys");
  box.checked = stored() !== "off";
  box.addEventListener("change", () => stored(box.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") return actions.leave(typing ? event.target : null);
    if (event.key === "Enter") {
      if (event.target.matches("#filter, #note, .choice") || !event.target.matches("button, summary, a, input")) {
        if (actions.enter(event.target)) event.preventDefault();
      }
      return;
    }
    if (typing || !box.checked) return;
    const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1] ?? (/^[0-9]$/.test(event.key) ? event.key : null);
    const action = digit === "0" && !event.shiftKey ? actions.unsure
      : digit > "0" ? () => actions.digit(digit, event.shiftKey)
      : actions.letters[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
