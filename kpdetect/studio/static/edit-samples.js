// The samples of the Edit page: a grid of pictures, and the action of a click on one of them.
import { h, labelled } from "./dom.js";

const MANY = 24;

export class Samples {
  // room: state, chosen, info, drawing, picking; takeSample(sample, what), restart(change), stopPicking()
  constructor(room, models) {
    this.room = room;
    this.shown = MANY;
    this.turn = 0;
    this.thumbs = h("div", { class: "thumbs", role: "group", "aria-label": "Samples" });
    this.banner = h("div", { class: "hint", role: "status", hidden: true });
    const more = h("button", { type: "button", onclick: () => this.fill((this.shown += MANY)) }, "More samples");
    this.element = h("section", { class: "panel samples", "aria-label": "Samples" }, h("h2", {}, "Samples"), h("div", { class: "head" }, this.settings(models), this.banner), this.thumbs, h("div", { class: "row" }, more));
  }

  settings(models) {
    const { room } = this;
    this.modelBox = h("select", { onchange: () => room.restart({ model: this.modelBox.value }) }, models.map((name) => h("option", { value: name }, name)));
    this.seedBox = h("input", { type: "number", min: 0, step: 1, onchange: () => room.restart({ seed: Math.max(0, Math.round(Number(this.seedBox.value) || 0)) }) });
    this.typicalBox = h("input", { type: "number", min: 0.1, max: 1, step: 0.1, onchange: () => room.restart({ truncation: Math.min(1, Math.max(0.1, Number(this.typicalBox.value) || 1)) }) });
    const more = h("details", {}, h("summary", {}, "Other samples"), labelled("Seed", this.seedBox), labelled("Truncation (lower values: more typical samples)", this.typicalBox));
    return h("div", { class: "settings" }, labelled("Model", this.modelBox), more);
  }

  address(sample) {
    const { model, seed, truncation } = this.room.state;
    return `/api/edit/sample/${sample}?model=${encodeURIComponent(model)}&seed=${seed}&truncation=${truncation}`;
  }

  fill() {
    this.thumbs.replaceChildren(...Array.from({ length: this.shown }, (_, sample) => this.thumb(sample)));
    this.mark();
    this.load();
  }

  thumb(sample) {
    const dragged = (event) => {
      event.dataTransfer.setData("text/x-kpdetect-sample", String(sample));
      event.dataTransfer.effectAllowed = "copy";
    };
    const given = { type: "button", class: "thumb", draggable: true, "aria-label": `Sample ${sample}`, "aria-pressed": "false", dataset: { sample }, onclick: () => this.clicked(sample), ondragstart: dragged };
    return h("button", given, h("img", { alt: "", dataset: { later: this.address(sample) } }), h("span", {}, sample));
  }

  // Draws one after the other, and never while the user waits for a picture.
  async load() {
    const turn = (this.turn += 1);
    for (const image of this.thumbs.querySelectorAll("img")) {
      while (this.room.drawing.drawer.busy) await new Promise((later) => setTimeout(later, 15));
      if (turn !== this.turn) return;
      image.src = image.dataset.later;
      await image.decode().catch(() => {});
    }
  }

  mark() {
    const { model, seed, truncation, sample } = this.room.state;
    for (const thumb of this.thumbs.children) thumb.setAttribute("aria-pressed", String(Number(thumb.dataset.sample) === sample));
    this.modelBox.value = model;
    this.seedBox.value = seed;
    this.typicalBox.value = truncation;
  }

  clicked(sample) {
    const { room } = this;
    const asks = !room.picking && room.chosen.size && room.info.can.look && sample !== room.state.sample;
    if (asks) this.offer(sample);
    else room.takeSample(sample, room.picking);
  }

  // Asks what to do with a clicked sample while parts are chosen.
  offer(sample) {
    const { room } = this;
    const parts = room.partsText();
    const button = (text, what, given = {}) => h("button", { type: "button", dataset: { offer: what || "open" }, onclick: () => room.takeSample(sample, what), ...given }, text);
    const exchange = button(`Exchange ${parts} with it`, "exchange", { class: "main" });
    this.ask(`Sample ${sample}: what to do with it?`, exchange, button(`Take the appearance of ${parts} from it`, "look"), button("Edit this sample instead", null));
    exchange.focus();
  }

  ask(text, ...buttons) {
    const stop = h("button", { type: "button", class: "quiet", onclick: () => this.room.stopPicking() }, "Stop (Esc)");
    this.banner.replaceChildren(h("p", {}, text), h("div", { class: "stack" }, buttons, stop));
    this.banner.hidden = false;
    this.element.classList.add("asking");
    this.banner.scrollIntoView({ block: "nearest" });
  }

  // Waits for a click on the sample from which something is taken.
  startPicking(text) {
    this.ask(text);
    this.element.classList.add("picking");
    (this.thumbs.children[this.room.state.sample + 1] || this.thumbs.firstChild).focus();
  }

  stopPicking() {
    this.banner.hidden = true;
    this.element.classList.remove("picking", "asking");
  }
}
