// Elements and words. Whatever comes from the data becomes text, never markup.

const words = JSON.parse(document.getElementById("words").textContent);
const rules = new Intl.PluralRules("en");
const unseen = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const escaped = (found) => [...Array(found.length).keys()]
  .map((i) => "\\u" + found.charCodeAt(i).toString(16).padStart(4, "0")).join("");

/** Text of strangers with the characters that hide or reorder shown as escapes; lines of a document stay. */
export const visible = (text, lines = false) =>
  String(text).replace(unseen, (found) => (lines && (found === "\n" || found === "\t") ? found : escaped(found)));

/** What the page says, from words.json: `{name}` is filled in; `n` chooses between the forms. */
export function say(name, set = {}) {
  let text = words[name];
  if (text !== null && typeof text === "object" && !Array.isArray(text)) text = text[rules.select(set.n)] ?? text.other;
  if (typeof text !== "string") return text;
  return text.replace(/\{(\w+)\}/g, (_, key) => (typeof set[key] === "number" ? set[key].toLocaleString("en") : visible(set[key])));
}

export const reason = (name) => words.reasons[name] ?? name;

export const find = (id) => document.getElementById(id);

/** A new element; `set` are attributes, and `children` are elements or text. */
export function make(tag, set = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(set)) {
    if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const percent = (share) => Math.round(100 * share);

/** The color of the k-th class. */
export const color = (k) => `var(--c${k % 8})`;
