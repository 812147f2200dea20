// Text to be copied into a terminal or a program.
import { say, sayWrong } from "./api.js";
import { h } from "./dom.js";

export function copyButton(title, text, given = {}) {
  const copy = () => navigator.clipboard.writeText(text()).then(() => say("Copied."), sayWrong);
  return h("button", { type: "button", "aria-label": `Copy the ${title}`, onclick: copy, ...given }, "Copy");
}

// A command that is to be typed.
export function commandLine(text, title = "command") {
  return h("div", { class: "command" }, h("code", {}, text), copyButton(title, () => text));
}

// As a shell reads it.
export function quoted(path) {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'"'"'`)}'`;
}
