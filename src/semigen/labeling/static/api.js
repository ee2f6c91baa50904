// What the page asks of the server. Addresses are relative: in a notebook they begin with a secret.

const person = document.body.dataset.person;

async function read(reply) {
  const body = await reply.json();
  if (!reply.ok) throw Object.assign(new Error(body.error), { refused: true });
  return body;
}

export const view = async () => read(await fetch(`api/view?person=${encodeURIComponent(person)}`));

export const post = async (action, body) =>
  read(await fetch(`api/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ person, ...body }),
  }));

export const imageOf = (key) => `api/image?key=${encodeURIComponent(key)}`;

/** Call `changed` with each new version of the session, and `connected` when the server goes or comes back. */
export function listen(changed, connected) {
  const events = new EventSource("api/events");
  events.addEventListener("message", (event) => { connected(true); changed(Number(event.data)); });
  events.addEventListener("error", () => connected(false));
  addEventListener("pagehide", () => events.close());
}
