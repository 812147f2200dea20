// Text with a button that copies it for a terminal or a program.
import { say, sayWrong } from "./api.js";
import { h } from "./dom.js";

export function copyButton(title, text, given = {}) {
  const copy = () => navigator.clipboard.writeText(text()).then(() => say("Copied."), sayWrong);
  return h("button", { type: "button", "aria-label": `Copy the ${title}`, onclick: copy, ...given }, "Copy");
}

// A command for the terminal.
export function commandLine(text, title = "command") {
  return h("div", { class: "command" }, h("code", {}, text), copyButton(title, () => text));
}

// Quotes a text for a shell.
export function quoted(path) {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'"'"'`)}'`;
}
