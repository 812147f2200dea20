// The Review page: a detector's predictions, and a user's corrections of them.
import { get, say, sayWrong } from "./api.js";
import { h } from "./dom.js";
import { PointView } from "./points.js";
import { pressed } from "./review-keys.js";
import { isOf, markOf, stateOf, titleOf } from "./review-marks.js";
import { jumps, orderOf, steps } from "./review-order.js";
import { Curves, Export, Shown } from "./review-panels.js";
import { CorrectionSaves } from "./review-saves.js";
import { Strip } from "./strip.js";

export { KEYS } from "./review-keys.js";

class ReviewRoom {
  constructor(host) {
    this.host = host;
    this.row = 0;
    this.chosen = 0;
    this.undone = [];
    this.saves = new CorrectionSaves(this);
  }

  async start(about) {
    const sets = await get("/api/review");
    if (!sets.length) return this.nothing(about);
    this.view = new PointView({ pick: (id) => this.pick(id), drag: (id, x, y) => this.drag(Number(id), x, y), dragged: (id) => this.dropDrag(Number(id)), key: (id, event) => this.pointKey(Number(id), event) }, { zoomable: true, label: "Picture with predicted keypoints" });
    this.strip = new Strip((row) => this.thumb(row), (row) => this.go(row));
    const button = (text, action, given = {}) => h("button", { type: "button", onclick: action, ...given }, text);
    this.title = h("h1", {});
    this.note = h("p", { class: "soft" });
    this.checkButton = button("All right, next", () => this.check(), { class: "main", id: "check" });
    this.hideButton = button("Not visible", () => this.hide(), { title: "The chosen keypoint is not visible" });
    this.resetButton = button("Reset", () => this.reset(), { title: "Restore the detector's keypoints" });
    this.undoButton = button("Undo", () => this.undo());
    this.jumpButton = button("Next jump", () => this.nextJump());
    const bar = h("div", { class: "row", role: "toolbar", "aria-label": "Picture" }, button("←", () => this.step(-1), { "aria-label": "The previous picture" }), button("→", () => this.step(1), { "aria-label": "The next picture" }), this.checkButton, this.hideButton, this.resetButton, this.undoButton, this.jumpButton, button("−", () => this.view.zoomBy(1 / 1.4), { "aria-label": "Zoom out" }), button("+", () => this.view.zoomBy(1.4), { "aria-label": "Zoom in" }), button("Whole", () => this.view.whole(), { "aria-label": "The whole picture" }));
    [this.shown, this.curves, this.export] = [new Shown(this, sets), new Curves(this), new Export(this)];
    const side = h("div", {}, this.shown.element, this.curves.element, this.export.element);
    const left = h("div", {}, h("section", { class: "panel" }, this.title, this.note, bar, this.view.element, this.strip.element));
    this.host.replaceChildren(h("div", { class: "review" }, left, side));
    document.addEventListener("keydown", (event) => pressed(this, event));
    addEventListener("beforeunload", (event) => this.saves.unsaved.size && event.preventDefault());
    await this.load(0);
  }

  nothing(about) {
    const example = about.target || "faces-64";
    this.host.replaceChildren(
      h("section", { class: "empty" },
        h("h1", {}, "No predictions are open"),
        h("p", {}, "Predict the keypoints of a folder or a video, then open the result:"),
        h("pre", {}, `kpdetect predict ${example} photos/ --out found\nkpdetect studio found`)),
    );
  }

  // Opens other predictions when all corrections of these are saved. Until then the page takes no corrections.
  async openSet(number) {
    this.host.inert = true;
    try {
      await this.saves.done();
      await this.load(number);
    } finally {
      this.host.inert = false;
      this.shown.setBox.value = String(this.set);
    }
  }

  async load(number) {
    this.data = await get(`/api/review/${number}`);
    this.set = number;
    const { points, sizes, names, formats, confidence } = this.data;
    this.moved = steps(points, sizes);
    this.jumps = jumps(this.moved);
    this.undone = [];
    this.chosen = Math.min(this.chosen, names.length - 1);
    this.curves.setNames(names);
    this.export.set(formats, names);
    this.jumpButton.hidden = !this.jumps.length;
    this.jumpButton.textContent = `Next jump (${this.jumps.length})`;
    if (confidence.length === 0) throw new Error("these predictions are empty");
    this.sort(true);
    if (this.data.otherModel) say("Some corrections were made on the predictions of other weights, and exports leave them out. Open the pictures that are not checked, and confirm them with “All right, next” if the keypoint numbers still mean the same.", { wrong: true });
  }

  sort(first = false) {
    const order = orderOf(this.shown.sortBox.value, this.data.confidence, this.moved);
    const checked = (row) => this.isChecked(row);
    this.order = this.shown.undoneBox.checked ? order.filter((row) => !checked(row)) : order;
    if (!this.order.length) {
      say("All pictures are checked.");
      this.shown.undoneBox.checked = false;
      this.order = order;
    }
    this.strip.setOrder(this.order);
    this.go(first || !this.order.includes(this.row) ? this.order[0] : this.row);
  }

  name(row) {
    const { frames, images, seconds } = this.data;
    return frames ? `frame ${frames[row]}${seconds ? ` (${seconds[row].toFixed(2)} s)` : ""}` : images[row];
  }

  known(row) {
    return this.data.checked[this.data.images[row]] || {};
  }

  isChecked(row) {
    const { model, numbers } = this.data;
    return numbers.map((number) => this.known(row)[number]).every((point) => point && isOf(point, model));
  }

  thumb(row) {
    const sure = this.data.confidence[row].reduce((sum, value) => sum + value, 0) / this.data.numbers.length;
    const text = this.data.frames ? String(this.data.frames[row]) : this.data.images[row].split("/").at(-1);
    return { image: `/api/review/${this.set}/picture/${row}?small=1`, text: `${Math.round(sure * 100)} % · ${text}`, title: `${this.name(row)}, confidence ${Math.round(sure * 100)} %`, done: this.isChecked(row) };
  }

  go(row) {
    this.row = row;
    this.dragging = null;
    const [height, width] = this.data.sizes[row];
    this.view.resize(width, height);
    this.strip.show(row);
    this.showPoints();
    this.curves.show();
    const image = new Image();
    image.onload = () => this.row === row && this.paint(image, width, height);
    image.onerror = () => this.row === row && this.missing(row);
    image.src = `/api/review/${this.set}/picture/${row}`;
    this.next = new Image();
    const following = this.order[this.order.indexOf(row) + 1];
    if (following !== undefined) this.next.src = `/api/review/${this.set}/picture/${following}`;
  }

  paint(image, width, height) {
    this.view.canvas.width = image.naturalWidth;
    this.view.canvas.height = image.naturalHeight;
    this.view.canvas.getContext("2d").drawImage(image, 0, 0);
    this.view.canvas.dataset.row = String(this.row);
    this.view.resize(width, height);
  }

  async missing(row) {
    this.view.canvas.width = 1;
    try {
      await get(`/api/review/${this.set}/picture/${row}`);
    } catch (error) {
      sayWrong(error);
    }
  }

  step(by) {
    const place = this.order.indexOf(this.row) + by;
    if (place >= 0 && place < this.order.length) this.go(this.order[place]);
  }

  nextJump() {
    const later = this.jumps.find((row) => row > this.row) ?? this.jumps[0];
    if (later !== undefined) this.go(later);
  }

  // Returns the place of a keypoint: as the user left it, otherwise as the detector predicted it.
  place(row, place) {
    const known = this.known(row)[this.data.numbers[place]];
    if (known) return { at: known.at, by: known.by, sure: known.at ? 1 : 0, other: !isOf(known, this.data.model) };
    return { at: this.data.points[row][place], by: null, sure: this.data.confidence[row][place] };
  }

  showPoints() {
    const { numbers, names, colours, links } = this.data;
    const least = this.shown.leastConfidence;
    this.shown.show();
    const found = numbers.map((_, place) => ({ place, ...this.place(this.row, place) })).map((point) => (this.dragging?.place === point.place ? { ...point, at: this.dragging.at, by: "moved", sure: 1, other: false } : point));
    const shown = found.filter((point) => point.at && point.sure >= least);
    this.view.setPoints(
      shown.map(({ place, at, by, sure, other }) => ({
        id: String(place), x: at[0], y: at[1], colour: colours[place], chosen: place === this.chosen, hollow: by === "moved", faint: !by && sure < 0.3,
        text: this.shown.namesBox.checked ? `${names[place].replace(/^keypoint(?=\d+$)/, "")}${markOf({ by, other })}` : "",
        title: `${names[place]}, ${titleOf({ by, other, sure })}`,
      })),
    );
    const at = new Map(shown.map((point) => [point.place, point.at]));
    const lines = links.filter(([one, other]) => at.has(one) && at.has(other)).map(([one, other]) => ({ kind: "link", path: [at.get(one), at.get(other)] }));
    this.view.setLines([...this.trails(shown), ...lines]);
    this.title.textContent = this.name(this.row);
    this.note.textContent = `${this.order.indexOf(this.row) + 1} of ${this.order.length}. ${stateOf(found)} Drag a keypoint to correct it. Every correction is saved at once.`;
    this.resetButton.disabled = !Object.keys(this.known(this.row)).length;
    this.undoButton.disabled = !this.undone.length;
    this.curves.pointBox.value = String(this.chosen);
  }

  trails(shown) {
    const long = this.shown.trailLength;
    if (!long) return [];
    return shown.map(({ place }) => {
      const path = [];
      for (let row = Math.max(0, this.row - long); row <= this.row; row += 1) {
        const point = this.place(row, place);
        if (point.at) path.push(point.at);
      }
      return { kind: "trail", path, colour: this.data.colours[place] };
    });
  }

  pick(id) {
    if (id !== null) this.choose(Number(id));
  }

  choose(place) {
    this.chosen = place;
    this.showPoints();
    this.curves.show();
  }

  drag(place, x, y) {
    this.chosen = place;
    this.dragging = { place, at: [x, y] };
    this.showPoints();
  }

  dropDrag(place) {
    const at = this.dragging?.at;
    this.dragging = null;
    if (at) this.move(place, at);
    this.curves.show();
  }

  pointKey(place, event) {
    const step = event.shiftKey ? 5 : event.altKey ? 0.2 : 1;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!by) return event.key === " " && (event.preventDefault(), this.choose(place));
    event.preventDefault();
    event.stopPropagation();
    const at = this.view.clamp(this.place(this.row, place).at.map((value, axis) => value + by[axis]));
    this.move(place, at);
  }

  move(place, at) {
    const point = { at: at.map((value) => Math.round(value * 100) / 100), by: "moved", model: this.data.model };
    this.save(this.row, { ...this.known(this.row), [this.data.numbers[place]]: point });
  }

  // All keypoints of the picture are right, also those that were corrected on the predictions of other weights.
  check() {
    const { row, data } = this;
    const points = Object.fromEntries(data.numbers.map((number, place) => {
      const { at, by } = this.place(row, place);
      return [number, { at, by: by || "kept", model: data.model }];
    }));
    this.save(row, points);
    this.step(1);
  }

  hide() {
    const number = this.data.numbers[this.chosen];
    const known = this.known(this.row)[number];
    const points = { ...this.known(this.row) };
    if (known?.by === "hidden") delete points[number];
    else points[number] = { at: null, by: "hidden", model: this.data.model };
    this.save(this.row, points);
  }

  reset() {
    this.save(this.row, {});
  }

  undo() {
    const last = this.undone.pop();
    if (!last) return;
    if (last.row !== this.row) this.go(last.row);
    this.save(last.row, last.points, false);
  }

  // Corrections are shown at once, and saved one after the other.
  save(row, points, undoable = true) {
    const image = this.data.images[row];
    if (undoable) this.undone.push({ row, points: this.known(row) });
    this.data.checked[image] = points;
    this.show(row);
    this.saves.add(row, image, points);
  }

  // Shows what is saved of a picture, instead of corrections that the studio refused.
  showSaved(row, checked) {
    this.data.checked[this.data.images[row]] = checked;
    this.undone = this.undone.filter((each) => each.row !== row);
    this.show(row);
    say("This picture is shown now as it is saved.", { wrong: true });
  }

  show(row) {
    this.strip.refresh(row);
    if (row === this.row) this.showPoints();
  }

}

export async function open(host, about) {
  await new ReviewRoom(host).start(about);
}
