// The page: shows an item, takes the answer, and hears what changes elsewhere.

import { listen, post, view } from "./api.js";
import { byKey, collected, filter, filtered, forget, pick, showClasses, toggleSeveral } from "./choice.js";
import { find, say, visible } from "./dom.js";
import { named, showItem, title } from "./item.js";
import { bind } from "./keys.js";
import { showPanel } from "./panel.js";

let item = null;
let state = null;
let busy = false;

function announce(...sentences) {
  const text = sentences.filter(Boolean).join(" ");
  find("live").textContent = text;
  find("said").textContent = sentences[0] ?? "";
}

function show(reply, ...sentences) {
  const same = state !== null && (reply.item?.key ?? null) === (item?.key ?? null) && sentences.length === 0;
  item = reply.item;
  state = reply.state;
  showPanel(state, item);
  if (!same) {
    showItem(item, state);
    find("note").value = "";
    unfold("note", false);
    scrollTo({ top: 0, behavior: "instant" });
    if (!state.classes.length) unfold("class", true);
  }
  showClasses(state, item?.probabilities, same, answer);
  const next = item ? say("announce_item", { row: title(item), why: item.why }) : say("nothing_left");
  if (!same) announce(sentences[0] ?? "", ...sentences.slice(1), next);
}

/** Ask the server for something; keys that come meanwhile are meant for an item that is not there yet. */
async function ask(request, sentence) {
  if (busy) return;
  busy = true;
  try {
    const reply = await request();
    connected(true);
    show(reply, ...sentence(reply));
  } catch (error) {
    if (error.refused) announce(say("failed", { error: error.message }));
    else connected(false);
  } finally {
    busy = false;
  }
}

const send = (body, sentence) => item &&
  ask(() => post("answer", { key: item.key, note: find("note").value, ...body }), () => [sentence]);
const answer = (classes) => send({ classes }, say("saved", { answer: named(classes) }));
const unsure = () => send({ unsure: true }, say("saved_unsure"));
const skip = () => send({ skip: true }, say("saved_skip"));
const undo = () => ask(() => post("undo", {}), (reply) => [say(reply.done ? "undone" : "nothing_to_undo")]);
const refresh = (...sentences) => ask(view, () => sentences);

async function addClass() {
  const name = find("name").value.trim();
  if (!name) return;
  await ask(() => post("class", { name }), (reply) => {
    const key = reply.state.classes.find((one) => one.name === name)?.key;
    find("name").value = "";
    unfold("class", false);
    return [say(key ? "class_added_key" : "class_added", { name, key })];
  });
}

function connected(there) {
  const box = find("gone");
  if (box.hidden === there) return;
  box.textContent = there ? "" : say("gone");
  box.hidden = there;
  if (there) announce(say("back"));
}

function leave(field) {
  if (field?.id === "name") unfold("class", false);
  else if (field) field.blur();
  else forget();
}

function enter(target) {
  const classes = collected();
  if (classes.length) answer(classes);
  else if (target.id === "filter" && filtered()) pick(filtered(), false, answer);
  else if (target.id === "note") target.blur();
  else return false;
  return true;
}

/** Open or close a field under the buttons. */
function unfold(what, there) {
  const field = find(`${what}-${what === "note" ? "field" : "form"}`), input = field.querySelector("input");
  field.hidden = !there;
  find(`${what}-button`).setAttribute("aria-expanded", there);
  if (there) input.focus();
}

const toggle = (what) => () => unfold(what, find(`${what}-button`).getAttribute("aria-expanded") === "false");

find("send").addEventListener("click", () => answer(collected()));
find("either").addEventListener("click", toggleSeveral);
find("unsure").addEventListener("click", unsure);
find("skip").addEventListener("click", skip);
find("undo").addEventListener("click", undo);
for (const what of ["note", "class"]) find(`${what}-button`).addEventListener("click", toggle(what));
find("filter").addEventListener("input", filter);
find("class-form").addEventListener("submit", (event) => { event.preventDefault(); addClass(); });
find("person-form").addEventListener("submit", (event) => {
  event.preventDefault();
  location.search = `?person=${encodeURIComponent(find("person").value.trim())}`;
});
bind({
  digit: (digit, shift) => { const name = byKey(digit); if (name !== undefined) pick(name, shift, answer); },
  unsure, enter, leave,
  letters: {
    s: skip, u: undo, e: toggleSeveral, n: () => unfold("note", true), c: () => unfold("class", true),
    f: () => find("filter").focus(),
  },
});
listen((version) => { if (state && version > state.version) hear(); }, connected);
refresh();

/** Something changed elsewhere: a refit, another tab, another person. */
async function hear() {
  if (busy) return setTimeout(hear, 50);
  const reply = await view().catch(() => null);
  if (!reply || busy || reply.state.version < state.version) return;
  const moved = item && reply.item?.key !== item.key;
  show(reply, ...(moved ? [say("elsewhere")] : []));
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
