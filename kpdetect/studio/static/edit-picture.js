// The edited picture with its keypoints, the other picture of an exchange, and the buttons that change the view.
import { h } from "./dom.js";
import { difference } from "./edit-draw.js";
import * as changed from "./edit-state.js";
import { PointView } from "./points.js";

const SMALL = 1; // a mean change of fewer grey levels is hardly visible

export class Picture {
  // room: state, history, chosen, info, lit; commit(change), undo(), redo(), label(number)
  constructor(room, listeners) {
    this.room = room;
    this.shows = "after";
    this.view = new PointView(listeners, { label: "Edited picture; its keypoints can be moved" });
    this.partnerView = new PointView({}, { label: "The other sample with the exchanged parts" });
    this.caption = h("figcaption", {});
    this.partnerCaption = h("figcaption", {});
    this.partnerFigure = h("figure", { hidden: true }, this.partnerView.element, this.partnerCaption);
    this.figures = h("div", { class: "pictures" }, h("figure", {}, this.view.element, this.caption), this.partnerFigure);
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
    this.view.resize(width, height);
    this.partnerView.resize(width, height);
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
    this.partnerFigure.hidden = !both;
    this.figures.classList.toggle("two", both);
  }

  showPartner(picture) {
    const { partner, sample } = this.room.state;
    this.partnerView.paint(picture);
    this.partnerCaption.textContent = `Sample ${partner} with these parts of sample ${sample}`;
  }

  paint(after = this.after, before = this.before) {
    [this.after, this.before] = [after, before];
    if (!after) return;
    const apart = before ? difference(after, before) : { mean: 0 };
    this.view.paint({ after, before: before || after, difference: apart.picture || after }[this.shows]);
    const faint = apart.mean < SMALL ? "; press “Difference” to see where, or try other parts" : "";
    const by = apart.mean > 0 ? `changed by ${apart.mean.toFixed(1)} of 255 grey levels on average${faint}` : "unchanged";
    this.caption.textContent = `Sample ${this.room.state.sample}, ${this.shows === "after" ? by : this.shows}`;
  }

  // points: { id, number, copy, x, y, gone }; base: their places before they were moved
  showPoints(points, base) {
    const { chosen, info, lit } = this.room;
    const shown = points.filter((point) => !point.gone);
    this.view.setPoints(
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
    this.view.setLines(moved.map((point) => ({ kind: "was", path: [base[point.number], [point.x, point.y]] })));
  }
}
