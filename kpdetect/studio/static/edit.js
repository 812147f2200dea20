// The room Edit.
import { get, post, say, sayWrong, upload } from "./api.js";
import { fileButton, h, labelled, typing } from "./dom.js";
import { Drawer, difference } from "./edit-draw.js";
import * as changed from "./edit-state.js";
import { History, undoKeys } from "./history.js";
import { PointView } from "./points.js";

export const KEYS = [
  ["Tab", "to the next keypoint, sample or button"],
  ["Space", "choose the keypoint, or drop the choice"],
  ["Arrows", "move the keypoint by 1 px (Shift: 5 px, Alt: 0.2 px)"],
  ["Delete", "remove the chosen parts"],
  ["A / N", "choose all parts / none"],
  ["X", "exchange the look of the chosen parts with another sample"],
  ["B (hold)", "the picture before"],
  ["D", "the difference"],
  ["K", "hide or show the keypoints"],
  ["Ctrl-Z, Ctrl-Y", "undo, redo"],
  ["Esc", "stop picking a sample"],
];
const MANY = 24;
const STORED = "kpdetect-edit";

class EditRoom {
  constructor(host, about) {
    this.host = host;
    this.models = about.models;
    this.chosen = new Set();
    this.picking = null;
    this.shows = "after";
    this.shownSamples = MANY;
    this.drawer = new Drawer((result, wanted, newest) => this.show(result, wanted, newest));
    this.partnerDrawer = new Drawer((result) => this.showPartner(result));
    this.history = new History(this.first(about));
    window.studio = { latencies: this.drawer.latencies, room: this };
  }

  first(about) {
    const fresh = { model: about.model, seed: 0, truncation: 1, sample: 0, partner: null, edits: changed.UNCHANGED };
    try {
      const stored = JSON.parse(sessionStorage.getItem(STORED));
      if (stored && about.models.includes(stored.model)) return stored;
    } catch {
      // nothing was stored, or storage is switched off
    }
    return fresh;
  }

  get state() {
    return this.history.now;
  }

  async start() {
    this.build();
    undoKeys(this.history, () => this.changedState());
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && this.look("after"));
    await this.loadModel();
  }

  build() {
    this.view = new PointView(
      {
        pick: (id, event) => this.pick(id, event),
        drag: (id, x, y, event) => this.drag(id, x, y, event),
        dragged: () => this.dropDrag(),
        hover: (id) => this.hover(id),
        key: (id, event) => this.pointKey(id, event),
        drop: (id, event) => this.dropped(id, event),
        area: (ids, event) => this.choose(this.numbersOf(ids), event.shiftKey),
      },
      { label: "Edited picture; its keypoints can be moved" },
    );
    this.partnerView = new PointView({}, { label: "The other sample with the exchanged parts" });
    this.thumbs = h("div", { class: "thumbs", role: "group", "aria-label": "Samples" });
    this.banner = h("p", { class: "hint", hidden: true });
    this.left = h("section", { class: "panel", "aria-label": "Samples" }, h("h2", {}, "Samples"), this.banner, this.sampleSettings(), this.thumbs, this.sampleMore());
    this.hint = h("p", { class: "hint" });
    this.tools = this.toolbar();
    this.caption = h("figcaption", {});
    this.partnerCaption = h("figcaption", {});
    this.partnerFigure = h("figure", { hidden: true }, this.partnerView.element, this.partnerCaption);
    this.pictures = h("div", { class: "pictures" }, h("figure", {}, this.view.element, this.caption), this.partnerFigure);
    this.command = h("pre", { class: "code", id: "command", tabindex: "0" });
    this.python = h("pre", { class: "code", id: "python", tabindex: "0" });
    const code = h("section", { class: "panel" }, h("h2", {}, "The same, without this page"), this.codePart("Command", this.command), this.codePart("Python", this.python));
    this.centre = h("div", {}, h("section", { class: "panel" }, h("h1", {}, "Edit what the generator draws"), this.hint, this.tools, this.pictures), code);
    this.right = h("div", {}, ...this.controls());
    this.host.replaceChildren(h("div", { class: "edit" }, this.left, this.centre, this.right));
    for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => this.pageDrop(event));
  }

  codePart(title, pre) {
    const copy = h("button", { type: "button", onclick: () => navigator.clipboard.writeText(pre.textContent).then(() => say("Copied."), sayWrong) }, "Copy");
    return h("div", {}, h("div", { class: "row tight" }, h("h3", {}, title), copy), pre);
  }

  sampleSettings() {
    this.modelBox = h("select", { onchange: () => this.restart({ model: this.modelBox.value }) }, this.models.map((name) => h("option", { value: name }, name)));
    this.seedBox = h("input", { type: "number", min: 0, step: 1, onchange: () => this.restart({ seed: Math.max(0, Math.round(Number(this.seedBox.value) || 0)) }) });
    this.typicalBox = h("input", { type: "number", min: 0.1, max: 1, step: 0.1, onchange: () => this.restart({ truncation: Math.min(1, Math.max(0.1, Number(this.typicalBox.value) || 1)) }) });
    const more = h("details", {}, h("summary", {}, "Other samples"), labelled("Seed", this.seedBox), labelled("Truncation (less is more typical)", this.typicalBox));
    return h("div", {}, labelled("Model", this.modelBox), more);
  }

  sampleMore() {
    return h("div", { class: "row" }, h("button", { type: "button", onclick: () => this.fillThumbs((this.shownSamples += MANY)) }, "More samples"));
  }

  toolbar() {
    const button = (text, action, given = {}) => h("button", { type: "button", onclick: action, ...given }, text);
    this.undoButton = button("Undo", () => this.history.undo() && this.changedState(), { id: "undo" });
    this.redoButton = button("Redo", () => this.history.redo() && this.changedState(), { id: "redo" });
    this.resetButton = button("Reset", () => this.commit({ edits: changed.UNCHANGED, partner: null }));
    this.beforeButton = button("Before", () => this.look(this.shows === "before" ? "after" : "before"));
    this.differenceButton = button("Difference", () => this.look(this.shows === "difference" ? "after" : "difference"));
    this.pointsButton = button("Keypoints", () => this.togglePoints());
    return h("div", { class: "row", role: "toolbar", "aria-label": "Picture" }, this.undoButton, this.redoButton, this.resetButton, this.beforeButton, this.differenceButton, this.pointsButton);
  }

  controls() {
    const button = (text, action, given = {}) => h("button", { type: "button", onclick: action, ...given }, text);
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Parts" });
    this.partButtons = {
      exchange: button("Exchange them with another sample…", () => this.startPicking("exchange"), { class: "main", id: "exchange" }),
      look: button("Take their look from another sample…", () => this.startPicking("look"), { id: "look" }),
      add: button("Draw them once more", () => this.addCopies(), { id: "add" }),
      remove: button("Remove them", () => this.remove(), { id: "remove" }),
    };
    const parts = h(
      "section",
      { class: "panel" },
      h("h2", {}, "1. Choose parts"),
      h("p", { class: "soft" }, "Click keypoints in the picture, or here."),
      this.chips,
      h("div", { class: "row" }, button("All", () => this.choose(this.all())), button("None", () => this.choose([]))),
      h("h2", {}, "2. Change the chosen parts"),
      h("div", { class: "stack" }, Object.values(this.partButtons)),
    );
    this.localBox = h("input", { type: "checkbox", onchange: () => this.commit({ edits: { ...this.state.edits, local: this.localBox.checked } }) });
    this.localField = h("label", {}, this.localBox, "Moves change little else (local)");
    this.sliders = {
      scale: this.slider("Size", "scale", 0.5, 1.5, 0.01, (value) => `${Math.round(value * 100)} %`),
      rotate: this.slider("Turn", "rotate", -45, 45, 1, (value) => `${value}°`),
      mix: this.slider("Mix", "mix", 0, 1, 0.01, (value) => `${Math.round(value * 100)} %`),
    };
    this.wholeButtons = {
      pose: button("Pose of another sample…", () => this.startPicking("pose"), { id: "pose" }),
      background: button("Background of another sample…", () => this.startPicking("background"), { id: "background" }),
    };
    const photo = fileButton("Pose of a photo…", "image/*", (file) => this.takePhoto(file));
    const whole = h(
      "section",
      { class: "panel" },
      h("h2", {}, "Change the whole picture"),
      h("div", { class: "stack" }, this.wholeButtons.pose, ...photo, this.wholeButtons.background),
      this.sliders.scale.row,
      this.sliders.rotate.row,
      this.sliders.mix.row,
      this.localField,
    );
    this.list = h("ul", { class: "changes" });
    const done = h("section", { class: "panel" }, h("h2", {}, "What was done"), this.list);
    const save = (kind, text) => button(text, () => this.save(kind), { dataset: { save: kind } });
    const open = fileButton("Open edits…", ".json,application/json", (file) => this.open(file));
    const saving = h("section", { class: "panel" }, h("h2", {}, "Save"), h("div", { class: "row" }, save("png", "Picture (PNG)"), save("gif", "Animation (GIF)"), save("json", "Edits (JSON)"), ...open));
    return [parts, whole, done, saving];
  }

  slider(text, key, min, max, step, show) {
    const output = h("output", {});
    const input = h("input", {
      type: "range", min, max, step, "aria-label": text,
      oninput: (event) => this.preview({ edits: { ...this.state.edits, [key]: Number(input.value) } }, event.timeStamp),
      onchange: () => this.commit({ edits: { ...this.state.edits, [key]: Number(input.value) } }),
    });
    const row = h("div", { class: "slider" }, h("span", {}, text), input, output);
    return { row, set: (value) => ((input.value = value), (output.textContent = show(value))), input };
  }

  async loadModel() {
    const { model } = this.state;
    try {
      this.info = await get(`/api/edit/model?model=${encodeURIComponent(model)}`);
    } catch (error) {
      this.hint.textContent = error.message;
      throw error;
    }
    const [height, width] = this.info.size;
    this.view.resize(width, height);
    this.partnerView.resize(width, height);
    this.chosen = new Set([...this.chosen].filter((number) => number < this.info.names.length));
    this.fillThumbs();
    this.before = null;
    this.changedState();
  }

  restart(change) {
    const same = change.model === undefined || change.model === this.state.model;
    this.history.commit({ ...this.state, ...change, partner: null, edits: changed.UNCHANGED, sample: same ? this.state.sample : 0 });
    this.chosen = new Set();
    this.loadModel().catch(sayWrong);
  }

  thumbAddress(sample) {
    const { model, seed, truncation } = this.state;
    return `/api/edit/sample/${sample}?model=${encodeURIComponent(model)}&seed=${seed}&truncation=${truncation}`;
  }

  fillThumbs() {
    const make = (sample) => {
      const image = h("img", { alt: "", dataset: { later: this.thumbAddress(sample) } });
      return h(
        "button",
        {
          type: "button", class: "thumb", draggable: true, "aria-label": `Sample ${sample}`, "aria-pressed": "false", dataset: { sample },
          onclick: () => this.takeSample(sample),
          ondragstart: (event) => (event.dataTransfer.setData("text/x-kpdetect-sample", String(sample)), (event.dataTransfer.effectAllowed = "copy")),
        },
        image,
        h("span", {}, sample),
      );
    };
    this.thumbs.replaceChildren(...Array.from({ length: this.shownSamples }, (_, sample) => make(sample)));
    this.markThumbs();
    this.loadThumbs();
  }

  // One after the other, and never while a picture is drawn that somebody waits for.
  async loadThumbs() {
    const turn = (this.thumbTurn = (this.thumbTurn || 0) + 1);
    for (const image of this.thumbs.querySelectorAll("img")) {
      while (this.drawer.busy) await new Promise((later) => setTimeout(later, 15));
      if (turn !== this.thumbTurn) return;
      image.src = image.dataset.later;
      await image.decode().catch(() => {});
    }
  }

  markThumbs() {
    for (const thumb of this.thumbs.children) thumb.setAttribute("aria-pressed", String(Number(thumb.dataset.sample) === this.state.sample));
  }

  takeSample(sample) {
    const { edits } = this.state;
    const parts = [...this.chosen];
    const what = this.picking;
    this.stopPicking();
    if (what === "exchange") this.commit({ edits: changed.withLook(edits, sample, parts), partner: sample });
    else if (what === "look") this.commit({ edits: changed.withLook(edits, sample, parts) });
    else if (what === "pose") this.commit({ edits: { ...edits, pose_from: sample, photo: null } });
    else if (what === "background") this.commit({ edits: { ...edits, background_from: sample } });
    else if (sample !== this.state.sample) this.commit({ sample, edits: changed.UNCHANGED, partner: null });
  }

  startPicking(what) {
    if ((what === "exchange" || what === "look") && !this.chosen.size) return;
    this.picking = what;
    const parts = changed.named([...this.chosen], this.info.names, this.info.names.length);
    const texts = {
      exchange: `Click the sample to exchange ${parts} with. Esc stops.`,
      look: `Click the sample whose ${parts} to take. Esc stops.`,
      pose: "Click the sample whose pose to take. Esc stops.",
      background: "Click the sample whose background to take. Esc stops.",
    };
    this.banner.textContent = texts[what];
    this.banner.hidden = false;
    this.left.classList.add("picking");
    (this.thumbs.children[this.state.sample + 1] || this.thumbs.firstChild).focus();
  }

  stopPicking() {
    this.picking = null;
    this.banner.hidden = true;
    this.left.classList.remove("picking");
  }

  // Dropping a sample on a keypoint takes its look there; on the picture, of the chosen parts or of all.
  dropped(id, event) {
    const text = event.dataTransfer.getData("text/x-kpdetect-sample");
    if (!text) return;
    event.stopPropagation();
    const own = id === null ? [] : this.numbersOf([id]);
    const parts = own.length && !this.chosen.has(own[0]) ? own : this.chosen.size ? [...this.chosen] : own.length ? own : this.all();
    if (!this.info.can.look) return say("This model draws its parts alike in every sample.", { wrong: true });
    this.commit({ edits: changed.withLook(this.state.edits, Number(text), parts) });
  }

  pageDrop(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    if (event.type === "drop" && event.dataTransfer.files[0]) this.takePhoto(event.dataTransfer.files[0]);
  }

  async takePhoto(file) {
    try {
      say("Looking for the keypoints of the photo…");
      const { photo } = await upload(`/api/edit/photo?model=${encodeURIComponent(this.state.model)}&name=${encodeURIComponent(file.name)}`, file);
      this.commit({ edits: { ...this.state.edits, photo, pose_from: null } });
    } catch (error) {
      sayWrong(error);
    }
  }

  all() {
    return this.info.names.map((_, number) => number);
  }

  numbersOf(ids) {
    return ids.map((id) => Number(id.replace(/^copy-\d+-/, "")));
  }

  choose(numbers, more = false) {
    this.chosen = new Set(more ? [...this.chosen, ...numbers] : numbers);
    this.showPoints();
    this.showControls();
  }

  toggle(number) {
    if (this.chosen.has(number)) this.chosen.delete(number);
    else this.chosen.add(number);
    this.showPoints();
    this.showControls();
  }

  pick(id) {
    if (id !== null) this.toggle(this.numbersOf([id])[0]);
  }

  hover(id) {
    this.lit = id === null ? null : this.numbersOf([id])[0];
    for (const [other, node] of this.view.nodes) node.classList.toggle("lit", id !== null && this.numbersOf([other])[0] === this.lit);
    for (const chip of this.chips.children) chip.classList.toggle("lit", Number(chip.dataset.number) === this.lit);
  }

  // Where a dragged keypoint is to go, and with it all that is chosen if it is one of them.
  drag(id, x, y, event) {
    const copy = /^copy-(\d+)-/.exec(id);
    this.dragState = this.dragState || { from: this.state, points: this.points.map((point) => ({ ...point })) };
    const { from, points } = this.dragState;
    const start = points.find((point) => point.id === id);
    const edits = copy ? this.draggedCopy(from, Number(copy[1]), [x - start.x, y - start.y]) : this.draggedParts(from, start, points, [x - start.x, y - start.y]);
    this.preview({ edits }, event.timeStamp);
  }

  draggedCopy(from, index, [x, y]) {
    const [was, then] = from.edits.add[index].by;
    return changed.withCopy(from.edits, index, was + x, then + y);
  }

  draggedParts(from, start, points, [x, y]) {
    const together = this.chosen.has(start.number) ? [...this.chosen].filter((number) => !from.edits.remove.includes(number)) : [start.number];
    const [height, width] = this.info.size;
    const own = points.filter((point) => !point.copy && together.includes(point.number));
    const within = (step, places, whole) => Math.min(Math.max(step, -0.5 - Math.min(...places)), whole - 0.5 - Math.max(...places));
    const [right, down] = [within(x, own.map((point) => point.x), width), within(y, own.map((point) => point.y), height)];
    const moves = together.map((number) => {
      const [wasRight, wasDown] = changed.moveOf(from.edits, number);
      return [number, wasRight + right, wasDown + down];
    });
    return changed.withMoves(from.edits, moves);
  }

  dropDrag() {
    const { from } = this.dragState || {};
    this.dragState = null;
    if (from && this.previewed) this.commit({ edits: this.previewed.edits });
  }

  pointKey(id, event) {
    const number = this.numbersOf([id])[0];
    const step = event.shiftKey ? 5 : event.altKey ? 0.2 : 1;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by) {
      event.preventDefault();
      const start = this.points.find((point) => point.id === id);
      const copy = /^copy-(\d+)-/.exec(id);
      const edits = copy ? this.draggedCopy(this.state, Number(copy[1]), by) : this.draggedParts(this.state, start, this.points, by);
      this.commit({ edits });
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      this.toggle(number);
    }
  }

  key(event) {
    if (typing(event) || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const actions = {
      a: () => this.choose(this.all()), n: () => this.choose([]), x: () => this.startPicking("exchange"), k: () => this.togglePoints(),
      b: () => this.look("before"), d: () => this.look(this.shows === "difference" ? "after" : "difference"),
      delete: () => this.remove(), backspace: () => this.remove(), escape: () => this.stopPicking(),
    };
    if (actions[key] && !event.repeat) actions[key]();
  }

  addCopies() {
    if (!this.chosen.size) return;
    const { edits } = this.state;
    const step = Math.max(2, Math.round(this.info.size[1] / 8));
    const places = [...this.chosen].filter((number) => !edits.remove.includes(number)).map((number) => {
      const point = this.points.find((each) => each.id === String(number));
      return { keypoints: [number], by: [point.x + step < this.info.size[1] - 1 ? step : -step, 0] };
    });
    this.commit({ edits: { ...edits, add: [...edits.add, ...places] } });
  }

  remove() {
    if (!this.chosen.size) return;
    const { edits } = this.state;
    const parts = [...this.chosen];
    const gone = parts.every((number) => edits.remove.includes(number));
    this.commit({ edits: gone ? changed.withBack(edits, parts) : changed.withRemoved(edits, parts) });
  }

  togglePoints() {
    this.centre.classList.toggle("hide-points");
    this.showTools();
  }

  look(what) {
    if (this.shows === what) return;
    this.shows = what;
    this.paint();
    this.showTools();
  }

  commit(change) {
    this.previewed = null;
    this.history.commit({ ...this.state, ...change });
    this.changedState();
  }

  preview(change, since) {
    this.previewed = { ...this.state, ...change };
    if (!this.dragState) this.showSliders(this.previewed.edits);
    this.askFor(this.previewed, { since });
  }

  changedState() {
    this.previewed = null;
    try {
      sessionStorage.setItem(STORED, JSON.stringify(this.state));
    } catch {
      // storage is switched off: the work is gone with the tab
    }
    if (this.info && this.state.model !== this.info.model) return void this.loadModel().catch(sayWrong);
    const { model, seed, truncation, sample } = this.state;
    const address = JSON.stringify([model, seed, truncation, sample]);
    if (address !== this.beforeOf) {
      this.beforeOf = address;
      this.before = null;
      this.fillThumbs();
    }
    this.showControls();
    this.askFor(this.state, { refused: () => this.history.past.length && this.refuse() });
  }

  // An edit that the generator refuses is taken back.
  refuse() {
    const refused = JSON.stringify(this.state);
    if (this.refused === refused) return;
    this.refused = refused;
    this.history.undo();
    this.history.future = [];
    this.changedState();
  }

  request(state, edits, quick = false) {
    const { model, seed, truncation, sample } = state;
    const can = this.info.can;
    return { model, seed, truncation, sample, quick, edits: { ...edits, local: edits.local && can.local } };
  }

  askFor(state, extra) {
    if (this.before === null && !changed.isUnchanged(state.edits)) {
      this.drawer.ask(this.request(state, changed.UNCHANGED), { then: () => this.askFor(state, extra) });
      return;
    }
    this.drawer.ask(this.request(state, state.edits, Boolean(extra.since)), extra);
    if (state.partner !== null && !extra.since) this.askPartner(state);
    this.partnerFigure.hidden = state.partner === null;
    this.pictures.classList.toggle("two", state.partner !== null);
  }

  askPartner(state) {
    const parts = state.edits.looks.filter((look) => look.sample === state.partner).flatMap((look) => look.keypoints);
    const looks = parts.length ? [{ sample: state.sample, keypoints: parts }] : [];
    this.partnerDrawer.ask(this.request({ ...state, sample: state.partner }, { ...changed.UNCHANGED, looks, mix: state.edits.mix }));
    this.partnerCaption.textContent = `Sample ${state.partner} with these parts of sample ${state.sample}`;
  }

  show(result, wanted, newest) {
    const plain = changed.isUnchanged(wanted.request.edits) && !wanted.request.quick;
    if (plain) this.before = result.picture;
    if (wanted.then) return wanted.then();
    this.after = result.picture;
    this.code = result;
    const seen = new Map();
    this.points = result.points.map((point) => {
      const copies = seen.get("copies") || 0;
      if (point.copy) seen.set("copies", copies + 1);
      const id = point.copy ? `copy-${copies}-${point.keypoint}` : String(point.keypoint);
      return { id, number: point.keypoint, copy: point.copy, x: point.at?.[0], y: point.at?.[1], gone: point.at === null };
    });
    this.paint();
    this.showPoints();
    if (newest) this.showCode(result);
  }

  showPartner(result) {
    this.partnerView.paint(result.picture);
    this.partnerCode = result;
    this.showCode(this.code);
  }

  showCode(result) {
    if (!result) return;
    const other = this.state.partner !== null && this.partnerCode ? this.partnerCode : null;
    this.command.textContent = result.command + (other ? `\n${other.command.replace("--out edited", "--out other")}` : "");
    this.python.textContent = result.python + (other ? `\n# the other picture\n${other.python.split("\n").slice(3).join("\n").replaceAll("parts", "other").replace("image =", "other_image =")}` : "");
  }

  paint() {
    if (!this.after) return;
    const apart = this.before ? difference(this.after, this.before) : { mean: 0 };
    const picture = { after: this.after, before: this.before || this.after, difference: apart.picture || this.after }[this.shows];
    this.view.paint(picture);
    const changedBy = apart.mean > 0 ? `changed by ${apart.mean.toFixed(1)} grey levels` : "unchanged";
    this.caption.textContent = `Sample ${this.state.sample}, ${this.shows === "after" ? changedBy : this.shows}`;
  }

  showPoints() {
    if (!this.points || !this.info) return;
    const shown = this.points.filter((point) => !point.gone);
    this.view.setPoints(
      shown.map((point) => ({
        ...point,
        colour: this.info.colours[point.number],
        hollow: point.copy,
        chosen: this.chosen.has(point.number),
        lit: point.number === this.lit,
        text: this.chosen.has(point.number) ? this.label(point.number) : "",
        title: `${this.info.names[point.number]}${point.copy ? ", drawn once more" : ""}`,
      })),
    );
    const base = this.code?.base || [];
    const moved = shown.filter((point) => !point.copy && base[point.number] && Math.hypot(point.x - base[point.number][0], point.y - base[point.number][1]) > 0.3);
    this.view.setLines(moved.map((point) => ({ kind: "was", path: [base[point.number], [point.x, point.y]] })));
  }

  label(number) {
    const name = this.info.names[number];
    return /^keypoint\d+$/.test(name) ? String(number) : name;
  }

  showControls() {
    const { edits, partner } = this.state;
    const can = this.info.can;
    this.modelBox.value = this.state.model;
    this.seedBox.value = this.state.seed;
    this.typicalBox.value = this.state.truncation;
    this.showHint();
    this.chips.replaceChildren(
      ...this.info.names.map((name, number) =>
        h(
          "button",
          { type: "button", class: edits.remove.includes(number) ? "chip gone" : "chip", "aria-pressed": String(this.chosen.has(number)), dataset: { number }, onclick: () => this.toggle(number), onpointerenter: () => this.hover(String(number)), onpointerleave: () => this.hover(null) },
          h("span", { class: "dot", style: { background: this.info.colours[number] } }),
          this.label(number),
        ),
      ),
    );
    const some = this.chosen.size > 0 && can.keypoints;
    for (const [name, button] of Object.entries(this.partButtons)) button.disabled = !some || ((name === "exchange" || name === "look") && !can.look);
    const gone = this.chosen.size > 0 && [...this.chosen].every((number) => edits.remove.includes(number));
    this.partButtons.remove.textContent = gone ? "Bring them back" : "Remove them";
    this.wholeButtons.background.disabled = !can.background;
    this.wholeButtons.pose.disabled = !can.keypoints;
    this.localField.hidden = !can.local;
    this.localBox.checked = edits.local;
    this.showSliders(edits);
    const lines = changed.changes(edits, this.info.names);
    this.list.replaceChildren(...lines.map(([text, without]) => h("li", {}, h("span", {}, text), h("button", { type: "button", class: "quiet", "aria-label": `Take back: ${text}`, onclick: () => this.commit({ edits: without, partner: without.looks.some((look) => look.sample === partner) ? partner : null }) }, "×"))));
    if (!lines.length) this.list.replaceChildren(h("li", { class: "soft" }, "Nothing yet."));
    this.showTools();
  }

  showSliders(edits) {
    for (const [name, slider] of Object.entries(this.sliders)) slider.set(edits[name]);
    const taken = edits.pose_from !== null || edits.photo !== null || edits.looks.length > 0 || edits.background_from !== null;
    this.sliders.mix.input.disabled = !taken;
    this.sliders.mix.row.title = taken ? "How far pose, look and background go" : "Take a pose, a look or a background first";
  }

  showHint() {
    const parts = changed.named([...this.chosen], this.info.names, this.info.names.length);
    this.hint.textContent = this.chosen.size
      ? `${parts[0].toUpperCase()}${parts.slice(1)} chosen. Drag to move, or press “Exchange them with another sample”. A sample dropped on a keypoint gives it its look.`
      : "Drag a keypoint to move it. To exchange parts of two pictures, the eyes of two faces for example: click their keypoints, then press “Exchange”.";
  }

  showTools() {
    this.undoButton.disabled = !this.history.past.length;
    this.redoButton.disabled = !this.history.future.length;
    this.resetButton.disabled = changed.isUnchanged(this.state.edits);
    this.beforeButton.setAttribute("aria-pressed", String(this.shows === "before"));
    this.differenceButton.setAttribute("aria-pressed", String(this.shows === "difference"));
    this.pointsButton.setAttribute("aria-pressed", String(!this.centre.classList.contains("hide-points")));
    this.markThumbs();
  }

  async save(kind) {
    try {
      const saved = await post(`/api/edit/save/${kind}`, this.request(this.state, this.state.edits));
      say(`Saved: ${saved.path}`, { link: { url: saved.url, name: "", text: "Download" } });
    } catch (error) {
      sayWrong(error);
    }
  }

  async open(file) {
    try {
      const opened = await post("/api/edit/open", JSON.parse(await file.text()));
      this.history.commit({ ...opened, partner: null });
      this.changedState();
    } catch (error) {
      sayWrong(error instanceof SyntaxError ? new Error("the file is not JSON") : error);
    }
  }
}

export async function open(host, about) {
  const room = new EditRoom(host, about);
  await room.start();
}
