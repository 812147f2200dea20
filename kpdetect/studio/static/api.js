// Requests to the studio's server. It answers an error with one sentence.
import { h } from "./dom.js";

export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// Whether the same request cannot succeed later. Without an answer (0), with the key of an earlier studio (401, 403), or after a
// fault of the studio it can.
export const isForGood = (error) => error.status >= 400 && error.status < 500 && ![401, 403].includes(error.status);

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch {
    const again = `If it has ended, start it again with --port ${location.port}, open the address that it prints in another tab, and try again here.`;
    throw new Refusal(`The studio does not answer. Is \`kpdetect studio\` still running in its terminal? What was saved is safe. ${again}`, 0);
  }
  if (response.ok) return response;
  let sentence = `The studio refused this (${response.status}).`;
  try {
    sentence = (await response.json()).error || sentence;
  } catch {
    // the answer has no sentence: keep the one above
  }
  throw new Refusal(sentence, response.status);
}

export async function get(path) {
  return (await answered(fetch(path, { cache: "no-store" }))).json();
}

export async function post(path, value) {
  const body = JSON.stringify(value);
  return (await answered(fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body }))).json();
}

export async function upload(path, file) {
  if (file.size > 32 * 2 ** 20) throw new Refusal("The file is larger than 32 MiB; give a smaller one.", 413);
  return (await answered(fetch(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file }))).json();
}

// Reads a picture: four bytes with the length of a JSON header, the header, then RGB bytes.
export async function draw(request) {
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request) };
  const bytes = await (await answered(fetch("/api/edit/draw", sent))).arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const rgb = new Uint8Array(bytes, 4 + length);
  const picture = new ImageData(header.width, header.height);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    picture.data[to] = rgb[from];
    picture.data[to + 1] = rgb[from + 1];
    picture.data[to + 2] = rgb[from + 2];
    picture.data[to + 3] = 255;
  }
  return { ...header, picture };
}

export function say(text, { wrong = false, link = null } = {}) {
  const place = document.getElementById("messages");
  if (!place) return;
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Close this message", onclick: () => message.remove() }, "×");
  const more = link ? h("a", { href: link.url, download: link.name }, link.text) : null;
  const message = h("div", { class: wrong ? "message wrong" : "message" }, h("span", {}, text), more, close);
  place.append(message);
  while (place.children.length > 3) place.firstChild.remove();
  if (!wrong) setTimeout(() => message.remove(), link ? 12000 : 5000);
}

export function sayWrong(error) {
  say(error instanceof Refusal ? error.message : `The page failed at this: ${error.message}`, { wrong: true });
  if (!(error instanceof Refusal)) console.error(error);
}
