// The classes: a button each, with its key and what the model thinks; one, or several that it may be.

import { color, find, make, percent, say, visible } from "./dom.js";

const MANY = 12;
const chosen = new Set();
let several = false;
let known = [];

/**
 * Show the buttons. They keep their places and, where the classes stay, their elements and the focus; what is chosen
 * stays while the item is the same.
 */
export function showClasses(state, probabilities, same, answer) {
  const box = find("classes"), names = state.classes.map((one) => one.name);
  if (names.join("\n") !== known.map((one) => one.name).join("\n") || !box.childElementCount) {
    box.replaceChildren(...state.classes.map((one, k) => button(one, k, answer)));
    if (!names.length) box.append(make("p", {}, say("no_class")));
  }
  known = state.classes;
  state.classes.forEach((one, k) => showProbability(box.children[k], probabilities?.[one.name]));
  find("filter").hidden = names.length <= MANY;
  if (!same) find("filter").value = "";
  filter();
  if (same) showChosen();
  else forget();
}

function button(one, k, answer) {
  const node = make("button", { type: "button", class: "choice", "aria-keyshortcuts": one.key, style: { "--k": color(k) } },
    ...(one.key ? [make("kbd", {}, `${one.key}`)] : []),
    make("span", { class: "name" }, visible(one.name)),
    make("span", { class: "p" }), make("span", { class: "meter", "aria-hidden": "true" }));
  node.addEventListener("click", (event) => pick(one.name, event.shiftKey, answer));
  return node;
}

function showProbability(node, p) {
  const there = typeof p === "number";
  node.querySelector(".p").textContent = there ? say("probability", { p: percent(p) }) : "";
  node.querySelector(".meter").hidden = !there;
  node.querySelector(".meter").style.setProperty("--w", `${there ? 100 * p : 0}%`);
}

/** Answer with a class, or collect it where several are wanted. */
export function pick(name, shift, answer) {
  if (!several && !shift) return answer([name]);
  if (!chosen.delete(name)) chosen.add(name);
  several = true;
  showChosen();
}

export const byKey = (key) => known.find((one) => `${one.key}` === key)?.name;

export const collected = () => known.map((one) => one.name).filter((name) => chosen.has(name));

export function toggleSeveral() {
  several = !several;
  if (!several) chosen.clear();
  showChosen();
}

export function forget() {
  several = false;
  chosen.clear();
  showChosen();
}

function showChosen() {
  known.forEach((one, k) => {
    const node = find("classes").children[k];
    if (several) node.setAttribute("aria-pressed", chosen.has(one.name));
    else node.removeAttribute("aria-pressed");
  });
  find("classes-title").textContent = say(several ? "classes_several" : "classes");
  find("either").setAttribute("aria-pressed", several);
  find("hint").hidden = !several;
  find("send").hidden = !chosen.size;
  find("send").textContent = say("send", { n: chosen.size, names: collected().join(say("or")) });
}

export function filter() {
  const wanted = find("filter").value.toLowerCase();
  known.forEach((one, k) => { find("classes").children[k].hidden = !one.name.toLowerCase().includes(wanted); });
}

/** The only class, or the first, that the filter leaves. */
export const filtered = () => known.find((_, k) => !find("classes").children[k].hidden)?.name;
