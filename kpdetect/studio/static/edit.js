// The Edit page: the edits of a sample, and its picture.
import { get, say, sayWrong } from "./api.js";
import { h } from "./dom.js";
import { Drawing } from "./edit-drawing.js";
import { pressed } from "./edit-keys.js";
import { framed, moved, nearest, neighbours, numberOf } from "./edit-moves.js";
import { Parts } from "./edit-parts.js";
import { Picture } from "./edit-picture.js";
import { Record } from "./edit-record.js";
import { Samples } from "./edit-samples.js";
import * as changed from "./edit-state.js";
import { restored, store } from "./edit-storage.js";
import { Steps } from "./edit-steps.js";
import { Whole } from "./edit-whole.js";
import { History, undoKeys } from "./history.js";

export { KEYS } from "./edit-keys.js";

class EditRoom {
  constructor(host, about) {
    this.host = host;
    this.models = about.models;
    this.chosen = new Set();
    this.picking = null;
    this.drawing = new Drawing(this);
    this.history = new History(this.first(about));
    window.studio = { latencies: this.drawing.drawer.latencies, room: this };
  }

  first(about) {
    const stored = restored();
    return stored && about.models.includes(stored.model) ? stored : { model: about.model, seed: 0, truncation: 1, sample: 0, partner: null, edits: changed.UNCHANGED };
  }

  get state() {
    return this.history.now;
  }

  async start() {
    this.build();
    undoKeys(this.history, () => this.changedState());
    document.addEventListener("keydown", (event) => pressed(this, event));
    document.addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && this.picture.look("after"));
    for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => this.pageDrop(event));
    await this.loadModel();
  }

  build() {
    this.samples = new Samples(this, this.models);
    this.steps = new Steps(this);
    this.parts = new Parts(this);
    this.whole = new Whole(this);
    this.record = new Record(this);
    this.picture = new Picture(this, {
      pick: (id, event, at) => this.pick(id, at),
      drag: (id, x, y, event) => this.drag(id, x, y, event),
      dragged: () => this.dropDrag(),
      hover: (id) => this.hover(id),
      key: (id, event) => this.pointKey(id, event),
      drop: (id, event) => this.dropped(id, event),
      area: (frame, event) => this.chooseIn(frame, event.shiftKey),
    });
    this.note = h("p", { class: "hint note", role: "status" }, "Loading samples…");
    const picture = h("section", { class: "panel" }, h("h1", {}, "Edit images that the generator draws"), h("div", { class: "lead" }, h("p", { class: "soft" }, "Drag a keypoint to move its part. To exchange parts of two pictures, such as the eyes of two faces, take three steps:"), this.note), this.steps.element, this.picture.element);
    const right = h("div", {}, this.parts.element, this.whole.element, this.record.changesPanel, this.record.savePanel);
    this.controls = h("fieldset", { class: "edit", "aria-label": "Edit a sample", disabled: true }, this.samples.element, h("div", {}, picture, this.record.codePanel), right);
    this.host.replaceChildren(this.controls);
  }

  async loadModel() {
    const { model } = this.state;
    try {
      this.info = await get(`/api/edit/model?model=${encodeURIComponent(model)}`);
    } catch (error) {
      this.note.textContent = error.message;
      this.controls.disabled = false;
      throw error;
    }
    this.picture.resize(this.info.size);
    this.chosen = new Set([...this.chosen].filter((number) => number < this.info.names.length));
    this.changedState();
  }

  restart(change) {
    const same = change.model === undefined || change.model === this.state.model;
    this.history.commit({ ...this.state, ...change, partner: null, edits: changed.UNCHANGED, sample: same ? this.state.sample : 0 });
    this.chosen = new Set();
    this.stopPicking();
    this.loadModel().catch(sayWrong);
  }

  // what: "exchange", "look", "pose", "background", or null to edit the sample itself
  takeSample(sample, what) {
    const { edits } = this.state;
    const parts = [...this.chosen];
    if (what && sample === this.state.sample) return say("You are editing this sample. Click another one.", { wrong: true });
    this.stopPicking();
    if (what === "exchange") this.commit({ edits: changed.withLook(edits, sample, parts), partner: sample });
    else if (what === "look") this.commit({ edits: changed.withLook(edits, sample, parts) });
    else if (what === "pose") this.commit({ edits: { ...edits, pose_from: sample, photo: null } });
    else if (what === "background") this.commit({ edits: { ...edits, background_from: sample } });
    else if (sample !== this.state.sample) this.commit({ sample, edits: changed.UNCHANGED, partner: null });
  }

  get picksParts() {
    return this.picking === "exchange" || this.picking === "look";
  }

  startPicking(what) {
    this.picking = what;
    if (this.picksParts && !(this.chosen.size && this.info.can.look)) return this.stopPicking();
    this.samples.startPicking(this.pickingText());
    this.steps.show();
  }

  pickingText() {
    const texts = {
      exchange: `Click the sample to exchange ${this.partsText()} with.`,
      look: `Click the sample from which to take the appearance of ${this.partsText()}.`,
      pose: "Click the sample from which to take the pose.",
      background: "Click the sample from which to take the background.",
    };
    return texts[this.picking];
  }

  stopPicking() {
    this.picking = null;
    this.samples.stopPicking();
    if (this.info) this.steps.show();
  }

  // A sample that is dropped on a keypoint gives its appearance to that part; on the picture, to the chosen parts or to all.
  dropped(id, event) {
    const text = event.dataTransfer.getData("text/x-kpdetect-sample");
    if (!text) return;
    event.stopPropagation();
    const own = id === null ? [] : [numberOf(id)];
    const parts = own.length && !this.chosen.has(own[0]) ? own : this.chosen.size ? [...this.chosen] : own.length ? own : this.all();
    if (!this.info.can.look) return say("This model draws the parts of all samples with the same appearance.", { wrong: true });
    this.stopPicking();
    this.commit({ edits: changed.withLook(this.state.edits, Number(text), parts) });
  }

  pageDrop(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    if (event.type === "drop" && event.dataTransfer.files[0]) this.whole.takePhoto(event.dataTransfer.files[0]);
  }

  all() {
    return this.info.names.map((_, number) => number);
  }

  partsText() {
    return changed.named([...this.chosen], this.info.names, this.info.names.length);
  }

  label(number) {
    const name = this.info.names[number];
    return /^keypoint\d+$/.test(name) ? String(number) : name;
  }

  choose(numbers, more = false) {
    this.note.textContent = "";
    this.chosen = new Set(more ? [...this.chosen, ...numbers] : numbers);
    if (this.picksParts && this.chosen.size) this.samples.ask(this.pickingText());
    else if (this.picking === null || this.picksParts) this.stopPicking();
    this.showPoints();
    this.steps.show();
    this.parts.show();
  }

  // A frame chooses the keypoints in it, or else those close to it.
  chooseIn(frame, more) {
    const points = framed(this.points, frame, this.info.size);
    if (!points.length) return void (this.note.textContent = "No keypoint lies in the frame; draw a larger one.");
    this.choose(points.map((point) => point.number), more);
  }

  addNeighbours() {
    const before = this.chosen;
    this.choose(neighbours(this.points, this.chosen, this.info.size).map((point) => point.number), true);
    const added = [...this.chosen].filter((number) => !before.has(number));
    this.note.textContent = `${changed.capital(changed.named(added, this.info.names, Infinity))} ${added.length > 1 ? "are" : "is"} chosen too. Press “Exchange them…” or “Take their appearance…”.`;
  }

  // Whether the chosen parts have been exchanged.
  get exchanged() {
    return this.state.partner !== null && [...this.chosen].every((number) => changed.exchangedParts(this.state).includes(number));
  }

  // A picture has arrived. If edits took parts of another sample and some hardly changed, the note says which.
  drawn(edits = changed.UNCHANGED) {
    this.controls.disabled = false;
    const parts = edits.looks.flatMap((look) => look.keypoints);
    const faint = parts.length && edits.mix === 1 ? this.picture.faint(parts, this.points) : [];
    this.note.textContent = changed.faintText(faint, this.info.names);
  }

  toggle(number) {
    const others = [...this.chosen].filter((each) => each !== number);
    this.choose(others.length < this.chosen.size ? others : [...others, number]);
  }

  // A click between keypoints chooses the nearest one, because parts are larger than their keypoints.
  pick(id, at) {
    const number = id === null ? nearest(this.points, at, this.info.size)?.number : numberOf(id);
    if (number !== undefined) this.toggle(number);
  }

  hover(id) {
    this.lit = id === null ? null : numberOf(id);
    for (const [other, node] of this.picture.main.view.nodes) node.classList.toggle("lit", id !== null && numberOf(other) === this.lit);
    this.parts.light(this.lit);
  }

  drag(id, x, y, event) {
    this.dragState = this.dragState || { from: this.state, points: this.points.map((point) => ({ ...point })) };
    const { from, points } = this.dragState;
    const start = points.find((point) => point.id === id);
    const edits = moved(from.edits, id, [x - start.x, y - start.y], { points, chosen: this.chosen, size: this.info.size });
    this.preview({ edits }, event.timeStamp);
  }

  dropDrag() {
    const { from } = this.dragState || {};
    this.dragState = null;
    if (from && this.previewed) this.commit({ edits: this.previewed.edits });
  }

  pointKey(id, event) {
    const step = event.shiftKey ? 5 : event.altKey ? 0.2 : 1;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by) {
      event.preventDefault();
      this.commit({ edits: moved(this.state.edits, id, by, { points: this.points, chosen: this.chosen, size: this.info.size }) });
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      this.toggle(numberOf(id));
    }
  }

  undo() {
    if (this.history.undo()) this.changedState();
  }

  redo() {
    if (this.history.redo()) this.changedState();
  }

  commit(change) {
    this.previewed = null;
    this.history.commit({ ...this.state, ...change });
    this.changedState();
  }

  preview(change, since) {
    this.previewed = { ...this.state, ...change };
    if (!this.dragState) this.whole.showSliders(this.previewed.edits);
    this.drawing.ask(this.previewed, { since });
  }

  changedState() {
    this.previewed = null;
    store(this.state);
    if (this.info && this.state.model !== this.info.model) return void this.loadModel().catch(sayWrong);
    const { model, seed, truncation } = this.state;
    const listed = JSON.stringify([model, seed, truncation]);
    if (listed !== this.listed) this.samples.fill();
    this.listed = listed;
    this.showControls();
    this.drawing.ask(this.state);
  }

  get points() {
    return this.drawing.points;
  }

  request(state, edits, quick = false) {
    const { model, seed, truncation, sample } = state;
    return { model, seed, truncation, sample, quick, edits: { ...edits, local: edits.local && this.info.can.local } };
  }

  showPoints() {
    if (this.info) this.picture.showPoints(this.points, this.drawing.base);
  }

  showControls() {
    this.samples.mark();
    this.steps.show();
    this.parts.show();
    this.whole.show(this.state.edits);
    this.record.show();
    this.picture.showTools();
  }
}

export async function open(host, about) {
  await new EditRoom(host, about).start();
}
