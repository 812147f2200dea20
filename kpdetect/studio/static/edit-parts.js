// The parts of the picture as chips to choose from, and the buttons that copy or remove chosen parts.
import { h } from "./dom.js";
import * as changed from "./edit-state.js";

export class Parts {
  // room: state, chosen, points, info; choose(numbers), toggle(number), hover(id), commit(change), all(), label(number)
  constructor(room) {
    this.room = room;
    const button = (text, action, given = {}) => h("button", { type: "button", onclick: action, ...given }, text);
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Parts" });
    this.addButton = button("Draw a copy of them", () => this.add(), { id: "add" });
    this.removeButton = button("Remove them", () => this.remove(), { id: "remove" });
    this.nearButton = button("Add neighbours", () => room.addNeighbours(), { id: "neighbours", title: "Also choose the keypoints near the chosen ones" });
    const choices = h("div", { class: "row" }, button("All", () => room.choose(room.all())), button("None", () => room.choose([])), this.nearButton);
    this.element = h("section", { class: "panel" }, h("h2", {}, "Parts"), h("p", { class: "soft" }, "Each keypoint of the picture stands for one part. Click to choose parts."), this.chips, choices, h("div", { class: "stack" }, this.addButton, this.removeButton));
  }

  show() {
    const { chosen, info, state } = this.room;
    const gone = state.edits.remove;
    this.nearButton.disabled = !chosen.size || chosen.size === info.names.length;
    this.chips.replaceChildren(...info.names.map((_, number) => this.chip(number, gone.includes(number))));
    for (const button of [this.addButton, this.removeButton]) button.disabled = !(chosen.size && info.can.keypoints);
    this.removeButton.textContent = chosen.size && this.allGone() ? "Bring them back" : "Remove them";
  }

  chip(number, gone) {
    const { room } = this;
    const given = { type: "button", class: gone ? "chip gone" : "chip", "aria-pressed": String(room.chosen.has(number)), "aria-label": room.info.names[number], dataset: { number } };
    const acts = { onclick: () => room.toggle(number), onpointerenter: () => room.hover(String(number)), onpointerleave: () => room.hover(null) };
    return h("button", { ...given, ...acts }, h("span", { class: "dot", style: { background: room.info.colours[number] } }), room.label(number));
  }

  light(number) {
    for (const chip of this.chips.children) chip.classList.toggle("lit", Number(chip.dataset.number) === number);
  }

  allGone() {
    return [...this.room.chosen].every((number) => this.room.state.edits.remove.includes(number));
  }

  add() {
    const { chosen, info, points, state } = this.room;
    const width = info.size[1];
    const step = Math.max(2, Math.round(width / 8));
    const there = points.filter((point) => !point.copy && chosen.has(point.number) && !point.gone);
    const copies = there.map((point) => {
      const { number } = point;
      return { keypoints: [number], by: [point.x + step < width - 1 ? step : -step, 0] };
    });
    if (copies.length) this.room.commit({ edits: { ...state.edits, add: [...state.edits.add, ...copies] } });
  }

  remove() {
    const { chosen, state } = this.room;
    if (!chosen.size) return;
    const parts = [...chosen];
    this.room.commit({ edits: this.allGone() ? changed.withBack(state.edits, parts) : changed.withRemoved(state.edits, parts) });
  }
}
