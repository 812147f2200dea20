// The edited picture with its keypoints, the other picture of an exchange, and the buttons that change the view.
import { h } from "./dom.js";
import { changeAround } from "./edit-draw.js";
import { Pane } from "./edit-pane.js";
import * as changed from "./edit-state.js";

const SMALL = 1; // a mean change of fewer grey levels is hardly visible
const FAINT = 2.5; // the same for the mean change around one keypoint

export class Picture {
  // room: state, history, chosen, info, lit; commit(change), undo(), redo(), label(number)
  constructor(room, listeners) {
    this.room = room;
    this.shows = "after";
    this.main = new Pane(listeners, "Edited picture; its keypoints can be moved");
    this.other = new Pane({}, "The other sample with the exchanged parts");
    this.other.element.hidden = true;
    this.figures = h("div", { class: "pictures" }, this.main.element, this.other.element);
    this.element = h("div", {}, this.toolbar(), this.figures);
  }

  toolbar() {
    const { room } = this;
    const button = (text, action, given = {}) => h("button", { type: "button", onclick: action, ...given }, text);
    this.undoButton = button("Undo", () => room.undo(), { id: "undo" });
    this.redoButton = button("Redo", () => room.redo(), { id: "redo" });
    this.resetButton = button("Reset", () => room.commit({ edits: changed.UNCHANGED, partner: null }), { id: "reset" });
    this.beforeButton = button("Before", () => this.look(this.shows === "before" ? "after" : "before"), { id: "before" });
    this.differenceButton = button("Difference", () => this.toggleDifference(), { id: "difference" });
    this.pointsButton = button("Keypoints", () => this.togglePoints(), { id: "points" });
    return h("div", { class: "row", role: "toolbar", "aria-label": "Picture" }, this.undoButton, this.redoButton, this.resetButton, this.beforeButton, this.differenceButton, this.pointsButton);
  }

  resize([height, width]) {
    for (const pane of [this.main, this.other]) pane.view.resize(width, height);
  }

  look(what) {
    if (this.shows === what) return;
    this.shows = what;
    this.paint();
    this.showTools();
  }

  toggleDifference() {
    this.look(this.shows === "difference" ? "after" : "difference");
  }

  togglePoints() {
    this.element.classList.toggle("hide-points");
    this.showTools();
  }

  showTools() {
    const { history, state } = this.room;
    this.undoButton.disabled = !history.past.length;
    this.redoButton.disabled = !history.future.length;
    this.resetButton.disabled = changed.isUnchanged(state.edits);
    this.beforeButton.setAttribute("aria-pressed", String(this.shows === "before"));
    this.differenceButton.setAttribute("aria-pressed", String(this.shows === "difference"));
    this.pointsButton.setAttribute("aria-pressed", String(!this.element.classList.contains("hide-points")));
  }

  showBoth(both) {
    this.other.element.hidden = !both;
    this.figures.classList.toggle("two", both);
  }

  paint() {
    const { partner, sample } = this.room.state;
    const mean = this.main.paint(this.shows);
    const faint = mean < SMALL ? "; press “Difference” to see where, or try other parts" : "";
    const by = mean > 0 ? `changed by ${mean.toFixed(1)} of 255 grey levels on average${faint}` : "unchanged";
    if (this.main.after) this.main.caption.textContent = `Sample ${sample}, ${this.shows === "after" ? by : this.shows}`;
    if (partner === null || !this.other.after) return;
    this.other.paint(this.shows);
    this.other.caption.textContent = `Sample ${partner}${this.shows === "after" ? ` with these parts of sample ${sample}` : `, ${this.shows}`}`;
  }

  // Returns the numbers of the keypoints around which the edits change hardly anything.
  faint(numbers, points) {
    const { after, before } = this.main;
    const around = points.filter((point) => !point.copy && !point.gone && numbers.includes(point.number));
    return around.filter((point) => changeAround(after, before, [point.x, point.y]) < FAINT).map((point) => point.number);
  }

  // points: { id, number, copy, x, y, gone }; base: their places before they were moved
  showPoints(points, base) {
    const { chosen, info, lit } = this.room;
    const shown = points.filter((point) => !point.gone);
    this.main.view.setPoints(
      shown.map((point) => ({
        ...point,
        colour: info.colours[point.number],
        hollow: point.copy,
        chosen: chosen.has(point.number),
        lit: point.number === lit,
        text: this.room.label(point.number),
        title: `${info.names[point.number]}${point.copy ? ", copy" : ""}`,
      })),
    );
    const moved = shown.filter((point) => !point.copy && base[point.number] && Math.hypot(point.x - base[point.number][0], point.y - base[point.number][1]) > 0.3);
    this.main.view.setLines(moved.map((point) => ({ kind: "was", path: [base[point.number], [point.x, point.y]] })));
  }
}
