// The edits: as a list of changes, as a command, as Python, and as files.
import { post, say, sayWrong } from "./api.js";
import { copyButton } from "./copy.js";
import { fileButton, h } from "./dom.js";
import * as changed from "./edit-state.js";

export class Record {
  // room: state, info, history, drawing; commit(change), request(state, edits), changedState()
  constructor(room) {
    this.room = room;
    this.list = h("ul", { class: "changes" });
    this.changesPanel = h("section", { class: "panel" }, h("h2", {}, "Edits so far"), this.list);
    this.command = h("pre", { class: "code", id: "command", tabindex: "0" });
    this.python = h("pre", { class: "code", id: "python", tabindex: "0" });
    this.codePanel = h("section", { class: "panel" }, h("h2", {}, "The same edits without this page"), copied("Command", this.command), copied("Python", this.python));
    const save = (kind, text) => h("button", { type: "button", dataset: { save: kind }, onclick: () => this.save(kind) }, text);
    this.pngButton = save("png", "Picture (PNG)");
    this.otherButton = h("button", { type: "button", hidden: true, dataset: { saveOther: "png" }, onclick: () => this.save("png", room.drawing.partnerRequest(room.state)) }, "");
    this.saved = h("p", { class: "saved", role: "status" });
    const open = fileButton("Open edits…", ".json,application/json", (file) => this.open(file), { id: "open" });
    this.savePanel = h("section", { class: "panel" }, h("h2", {}, "Save"), h("div", { class: "row" }, this.pngButton, this.otherButton, save("gif", "Animation (GIF)"), save("json", "Edits (JSON)"), ...open), this.saved);
  }

  show() {
    const { state, info } = this.room;
    const lines = changed.changes(state.edits, info.names);
    const without = (edits) => ({ edits, partner: edits.looks.some((look) => look.sample === state.partner) ? state.partner : null });
    const back = (text, edits) => h("button", { type: "button", class: "quiet", "aria-label": `Take back: ${text}`, onclick: () => this.room.commit(without(edits)) }, "×");
    this.list.replaceChildren(...lines.map(([text, edits]) => h("li", {}, h("span", {}, text), back(text, edits))));
    this.pngButton.textContent = state.partner === null ? "Picture (PNG)" : `Sample ${state.sample} (PNG)`;
    this.otherButton.textContent = `Sample ${state.partner} (PNG)`;
    this.otherButton.hidden = state.partner === null;
    if (!lines.length) this.list.replaceChildren(h("li", { class: "soft" }, "Nothing yet."));
  }

  // Shows the code of the picture, and of the other picture of an exchange.
  showCode(result, other) {
    this.command.textContent = result.command + (other ? `\n${other.command.replace("--out edited", "--out other")}` : "");
    this.python.textContent = result.python + (other ? `\n# the other picture\n${other.python.split("\n").slice(3).join("\n").replaceAll("parts", "other").replace("image =", "other_image =")}` : "");
  }

  // The link to the last saved file stays until the next one is saved.
  async save(kind, request = this.room.request(this.room.state, this.room.state.edits)) {
    try {
      const saved = await post(`/api/edit/save/${kind}`, request);
      const link = { url: saved.url, name: "", text: "Download" };
      say(`Saved: ${saved.path}`, { link });
      this.saved.replaceChildren(`Saved: ${saved.path} `, h("a", { href: link.url, download: link.name }, link.text));
    } catch (error) {
      sayWrong(error);
    }
  }

  async open(file) {
    try {
      const opened = await post("/api/edit/open", JSON.parse(await file.text()));
      this.room.history.commit({ ...opened, partner: null });
      this.room.changedState();
    } catch (error) {
      say(error instanceof SyntaxError ? `${file.name} is no JSON; open edits that were saved here` : error.message, { wrong: true });
    }
  }
}

function copied(title, pre) {
  return h("div", {}, h("div", { class: "row tight" }, h("h3", {}, title), copyButton(title, () => pre.textContent, { dataset: { copy: pre.id } })), pre);
}
