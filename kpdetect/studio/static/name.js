// The Name page: keypoints on a dozen images, their names, left-right pairs and links, and keypoints that are dropped.
import { get, post, say, sayWrong } from "./api.js";
import { commandLine, quoted } from "./copy.js";
import { h, labelled, typing } from "./dom.js";
import { History, undoKeys } from "./history.js";
import { PointView } from "./points.js";
import { Saves } from "./saves.js";

export const KEYS = [
  ["Tab", "to the next keypoint or field"],
  ["Enter", "on a keypoint: apply the tool; in a name: go to the next name"],
  ["E, P, L, D", "the tools Name, Pair, Link, Drop"],
  ["Ctrl-S", "save"],
  ["Ctrl-Z, Ctrl-Y", "undo, redo"],
  ["Esc", "undo the choice of the first of two keypoints"],
];
const TOOLS = {
  name: ["Name", "Click a keypoint in any picture, type what it is, and press Enter."],
  pair: ["Pair left–right", "Click the left and the right one of a pair, such as the two eyes. Clicking a pair again separates it."],
  link: ["Link", "Click two keypoints to join them by a line. Clicking them again removes it."],
  drop: ["Drop", "Click a keypoint that marks no fixed place of the object. It is left out of all results. Click it again to keep it."],
};

const CONFIDENCE = "Confidence is the probability that the keypoint lies at its right place, averaged over these pictures.";

const same = ([one, other], [first, second]) => (one === first && other === second) || (one === second && other === first);

class NameRoom {
  constructor(host, about) {
    this.host = host;
    this.about = about;
    this.tool = "name";
    this.first = null;
    this.views = [];
    this.inputs = [];
    this.saves = new Saves();
    this.refusals = 0;
  }

  async start() {
    this.modelBox = h("select", { onchange: () => this.change(this.modelBox.value) }, this.about.models.map((name) => h("option", { value: name }, name)));
    this.fixedNote = h("div", { class: "hint", id: "fixed", hidden: true });
    this.hint = h("p", { class: "hint still-line" });
    this.tools = h("div", { class: "row", role: "toolbar", "aria-label": "Tools" }, Object.entries(TOOLS).map(([tool, [text]]) => h("button", { type: "button", dataset: { tool }, onclick: () => this.use(tool) }, text)));
    this.tiles = h("div", { class: "tiles still" });
    this.rows = h("tbody", {});
    this.saveButton = h("button", { type: "button", class: "main", id: "save", onclick: () => this.save() }, "Save");
    this.undoButton = h("button", { type: "button", onclick: () => this.history.undo() && this.show() }, "Undo");
    this.redoButton = h("button", { type: "button", onclick: () => this.history.redo() && this.show() }, "Redo");
    this.place = h("p", { class: "soft place" });
    this.next = h("div", {});
    const head = ["", "", "Name", "Mirror image", "Confidence", ""].map((text) => h("th", { scope: "col", title: text === "Confidence" ? CONFIDENCE : null }, text));
    const table = h("table", { class: "keypoints" }, h("thead", {}, h("tr", {}, head)), this.rows);
    const right = h("aside", { class: "panel sticky" }, labelled("Model", this.modelBox), h("div", { class: "row" }, this.saveButton, this.undoButton, this.redoButton), this.place, this.next, table, h("p", { class: "soft" }, CONFIDENCE));
    const left = h("section", { class: "panel" }, h("h1", {}, "Name the keypoints"), this.fixedNote, h("p", { class: "soft" }, "Left means the animal’s or person’s own left, which is on the right of a picture that shows its front."), this.tools, this.hint, this.tiles);
    this.host.replaceChildren(h("div", { class: "name" }, left, right));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("beforeunload", (event) => this.dirty && event.preventDefault());
    this.modelBox.value = this.about.model;
    await this.load(this.modelBox.value);
  }

  // Opens another model. Unsaved names would be lost, so the page asks first.
  change(model) {
    this.host.inert = true;
    return this.saves.add(async () => {
      try {
        const stay = this.dirty && !confirm("These names are not saved. Open the other model and lose them?");
        if (!stay) await this.load(model);
      } finally {
        this.host.inert = false;
        this.modelBox.value = this.model;
        this.use(this.tool);
      }
    });
  }

  async load(model) {
    this.hint.textContent = "Loading the detector…";
    const info = await get(`/api/name?model=${encodeURIComponent(model)}`);
    this.tiles.replaceChildren();
    this.views = [];
    this.model = model;
    this.info = info;
    this.version = info.version;
    const first = { names: info.labels.names, pairs: info.labels.pairs, links: info.labels.links, drop: info.labels.drop };
    if (!this.history) {
      this.history = new History(first);
      undoKeys(this.history, () => this.show());
    } else Object.assign(this.history, new History(first));
    this.saved = JSON.stringify(first);
    this.showFixed();
    for (let number = 0; number < info.images; number += 1) this.addView(number);
    this.buildRows();
    this.use(this.tool);
    if (info.stale) say("The weights have changed since these names were given. Check that the names still fit, then save.", { wrong: true });
  }

  addView(number) {
    const view = new PointView({ pick: (id) => id !== null && this.clicked(Number(id)), hover: (id) => this.light(id === null ? null : Number(id)), key: (id, event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), this.clicked(Number(id))) }, { label: `Image ${number + 1}` });
    view.resize(this.info.side, this.info.side);
    const image = new Image();
    image.onload = () => view.paint(image);
    image.src = `/api/name/image/${number}?model=${encodeURIComponent(this.model)}`;
    this.views.push(view);
    this.tiles.append(view.element);
  }

  buildRows() {
    this.inputs = [];
    const options = Array.from({ length: this.info.keypoints }, (_, number) => number);
    const rows = options.map((number) => {
      const input = h("input", { type: "text", "aria-label": `Name of keypoint ${number}`, placeholder: `keypoint${number}`, maxlength: 80, onchange: () => this.rename(number, input.value), onfocus: () => this.light(number) });
      input.addEventListener("keydown", (event) => event.key === "Enter" && (this.inputs[number + 1] || this.saveButton).focus?.());
      this.inputs.push(input);
      const sure = this.info.confidence.reduce((sum, row) => sum + row[number], 0) / this.info.images;
      const mirror = h("select", { "aria-label": `Mirror image of keypoint ${number}`, onchange: () => this.mirror(number, mirror.value) });
      const drop = h("button", { type: "button", onclick: () => this.drop(number) }, "Drop");
      const row = h("tr", { dataset: { number }, onpointerenter: () => this.light(number), onpointerleave: () => this.light(null) }, h("td", {}, h("span", { class: "dot", style: { background: this.info.colours[number] } })), h("td", { class: "number" }, number), h("td", {}, input), h("td", {}, mirror), h("td", { class: "number" }, `${Math.round(sure * 100)} %`), h("td", {}, drop));
      return Object.assign(row, { parts: { input, mirror, drop } });
    });
    this.rows.replaceChildren(...rows);
  }

  get state() {
    return this.history.now;
  }

  get dirty() {
    if (!this.history) return false;
    const typing = this.inputs.some((input, number) => input.value.trim() !== (this.state.names[number] || ""));
    return typing || JSON.stringify(this.state) !== this.saved;
  }

  // Says before any work that the names of a model of the package cannot be saved.
  showFixed() {
    this.fixedNote.hidden = !this.info.fixed;
    const name = this.model.split("/").at(-1);
    const own = commandLine(`kpdetect pack ${quoted(name)} --out ${quoted(`my-${name}`)}`);
    this.fixedNote.replaceChildren(h("p", {}, `${name} comes with the package, so its names cannot be saved. To name a copy, make one, and open it:`), own, commandLine(`kpdetect studio ${quoted(`my-${name}`)}`));
  }

  use(tool) {
    this.tool = tool;
    this.first = null;
    for (const button of this.tools.children) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    this.show();
  }

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      document.activeElement?.blur();
      this.save();
    }
    if (this.host.inert || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const tool = { e: "name", p: "pair", l: "link", d: "drop" }[event.key.toLowerCase()];
    if (tool) this.use(tool);
    if (event.key === "Escape") this.use(this.tool);
  }

  commit(change) {
    this.history.commit({ ...this.state, ...change });
    this.show();
  }

  rename(number, text) {
    const names = { ...this.state.names };
    if (text.trim()) names[number] = text.trim();
    else delete names[number];
    this.commit({ names });
  }

  drop(number) {
    const { drop } = this.state;
    this.commit({ drop: drop.includes(number) ? drop.filter((each) => each !== number) : [...drop, number].sort((one, other) => one - other) });
  }

  mirror(number, text) {
    const pairs = this.state.pairs.filter((pair) => !pair.includes(number) && !(text !== "" && pair.includes(Number(text))));
    this.commit({ pairs: text === "" ? pairs : [...pairs, [number, Number(text)]] });
  }

  clicked(number) {
    if (this.tool === "name") {
      this.inputs[number].focus();
      this.inputs[number].select();
    } else if (this.tool === "drop") this.drop(number);
    else if (this.first === null || this.first === number) {
      this.first = this.first === number ? null : number;
      this.show();
    } else {
      const both = [this.first, number];
      this.first = null;
      if (this.tool === "pair") {
        const there = this.state.pairs.some((pair) => same(pair, both));
        const rest = this.state.pairs.filter((pair) => !pair.some((each) => both.includes(each)));
        this.commit({ pairs: there ? rest : [...rest, both] });
      } else {
        const rest = this.state.links.filter((link) => !same(link, both));
        this.commit({ links: rest.length < this.state.links.length ? rest : [...rest, both] });
      }
    }
  }

  light(number) {
    this.lit = number;
    for (const view of this.views) for (const [id, node] of view.nodes) node.classList.toggle("lit", Number(id) === number);
    for (const row of this.rows.children) row.classList.toggle("lit", Number(row.dataset.number) === number);
  }

  label(number) {
    return this.state.names[number] || String(number);
  }

  show() {
    const { names, pairs, links, drop } = this.state;
    const waiting = this.first === null ? "" : ` The first is ${this.label(this.first)}; click the second.`;
    this.hint.textContent = TOOLS[this.tool][1] + waiting;
    this.views.forEach((view, image) => {
      const points = this.info.points[image];
      view.setPoints(points.map(([x, y], number) => ({ id: String(number), x, y, colour: this.info.colours[number], text: this.label(number), title: `Keypoint ${this.label(number)}`, faint: drop.includes(number), chosen: number === this.first, lit: number === this.lit, small: true })));
      const line = (kind) => ([one, other]) => ({ kind, path: [points[one], points[other]] });
      view.setLines([...links.map(line("link")), ...pairs.map(line("pair"))]);
    });
    for (const row of this.rows.children) this.showRow(row, names, pairs, drop);
    this.saveButton.disabled = this.info.fixed || (!this.dirty && !this.info.stale);
    this.undoButton.disabled = !this.history.past.length;
    this.redoButton.disabled = !this.history.future.length;
    this.showNext();
    this.place.textContent = this.info.fixed ? "These names cannot be saved: see above the pictures." : `${this.dirty ? "Not saved yet. " : ""}The labels are saved in ${this.info.file}, as by kpdetect label. Shown are ${this.info.source}.`;
  }

  // Shows what the user can do next with the saved names.
  showNext() {
    const { predictions, model } = this.about;
    const some = Object.keys(JSON.parse(this.saved).names).length > 0 && !this.info.fixed;
    const key = `${some} ${this.model}`;
    if (this.nextKey === key) return;
    this.nextKey = key;
    const review = predictions && this.model === model ? h("p", {}, "Next: ", h("a", { href: "/review" }, "check the predictions and export them"), " with these names. Other images:") : h("p", {}, "Next: predict keypoints with these names, for example for DeepLabCut:");
    this.next.replaceChildren(...(some ? [review, commandLine(`kpdetect predict ${quoted(this.model)} IMAGES --out found --format dlc-csv`)] : []));
  }

  showRow(row, names, pairs, drop) {
    const number = Number(row.dataset.number);
    const { input, mirror, drop: button } = row.parts;
    if (document.activeElement !== input || input.value === "") input.value = names[number] || "";
    const pair = pairs.find((each) => each.includes(number));
    const partner = pair ? String(pair[0] === number ? pair[1] : pair[0]) : "";
    const all = Array.from({ length: this.info.keypoints }, (_, other) => other).filter((other) => other !== number);
    mirror.replaceChildren(h("option", { value: "" }, "–"), ...all.map((other) => h("option", { value: String(other) }, this.label(other))));
    mirror.value = partner;
    row.classList.toggle("dropped", drop.includes(number));
    button.textContent = drop.includes(number) ? "Keep" : "Drop";
  }

  // A save that was asked for before the user could read that an earlier one was refused does not run.
  save() {
    const { refusals, model } = this;
    if (!this.saveButton.disabled && !this.host.inert) this.saves.add(() => refusals === this.refusals && model === this.model && this.send());
  }

  async send() {
    if (this.saveButton.disabled) return; // the save before this one has saved these names
    const { state } = this;
    try {
      const saved = await post("/api/name", { model: this.model, weights: this.info.weights, version: this.version, ...state });
      this.version = saved.version;
      this.saved = JSON.stringify(state);
      this.info.stale = false;
      this.show();
      say(`Saved: ${saved.file}`);
    } catch (error) {
      if (error.status !== 409) throw error;
      await this.conflict(error);
    }
  }

  // The labels were saved elsewhere in the meantime: say so, and let the user decide which labels to keep.
  async conflict(error) {
    this.refusals += 1;
    sayWrong(error);
    const info = await get(`/api/name?model=${encodeURIComponent(this.model)}`);
    if (info.weights !== this.info.weights) return; // the page shows keypoints of other weights: it has to be reloaded
    this.version = info.version;
    say("Press Save again to replace the other labels with yours, or reload the page to use the other labels.", { wrong: true });
  }
}

export async function open(host, about) {
  await new NameRoom(host, about).start();
}
