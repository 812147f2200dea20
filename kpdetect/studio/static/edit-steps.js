// The three steps to exchange parts of two samples, or to take their appearance. The next step is marked.
import { h } from "./dom.js";

export class Steps {
  // room: chosen, exchanged, picksParts, info; startPicking(what), partsText()
  constructor(room) {
    this.room = room;
    const button = (text, what, given) => h("button", { type: "button", id: what, onclick: () => room.startPicking(what), ...given }, text);
    this.buttons = [button("Exchange them…", "exchange", { class: "main" }), button("Take their appearance…", "look", {})];
    const step = (number, title, ...parts) => h("li", {}, h("b", {}, `${number}. ${title}`), ...parts);
    this.first = h("span", {});
    this.third = h("span", {});
    this.items = [step(1, "Choose parts", this.first), step(2, "Exchange or take", h("div", { class: "stack" }, this.buttons)), step(3, "Click the other sample", this.third)];
    this.element = h("ol", { class: "steps", "aria-label": "To exchange parts of two samples" }, this.items);
  }

  show() {
    const { chosen, picksParts: picks, info } = this.room;
    const can = chosen.size > 0 && info.can.keypoints && info.can.look;
    for (const button of this.buttons) button.disabled = !can;
    const done = !picks && this.room.exchanged;
    const now = done ? null : picks ? 2 : chosen.size ? 1 : 0;
    this.buttons[0].classList.toggle("main", now === 1);
    this.items.forEach((item, number) => (number === now ? item.setAttribute("aria-current", "step") : item.removeAttribute("aria-current")));
    this.first.textContent = chosen.size ? `Chosen: ${this.room.partsText()}.` : "Click parts, for example both eyes, or drag a frame around them.";
    const waiting = done ? "Done. Both pictures are below." : "Or drop a sample on a keypoint.";
    this.third.title = "The part of that keypoint takes its appearance from the dropped sample.";
    this.third.textContent = picks ? "← in the list on the left." : waiting;
    if (!info.can.look) this.first.textContent = "This model draws the parts of all samples with the same appearance, so there is nothing to exchange.";
  }
}
