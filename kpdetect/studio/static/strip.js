// A filmstrip of any length. Only its visible part is on the page.
import { h } from "./dom.js";

const WIDE = 106;

export class Strip {
  // make(row) returns { image, text, title, done }
  constructor(make, pick) {
    this.make = make;
    this.pick = pick;
    this.order = [];
    this.inner = h("div", {});
    this.element = h("div", { class: "strip", role: "group", "aria-label": "Filmstrip" }, this.inner);
    this.element.addEventListener("scroll", () => this.fill());
    new ResizeObserver(() => this.fill()).observe(this.element);
  }

  setOrder(order) {
    this.order = order;
    this.inner.style.width = `${order.length * WIDE + 4}px`;
    this.inner.replaceChildren();
    this.fill();
  }

  fill() {
    const from = Math.max(0, Math.floor(this.element.scrollLeft / WIDE) - 2);
    const to = Math.min(this.order.length, from + Math.ceil(this.element.clientWidth / WIDE) + 5);
    const wanted = new Set(this.order.slice(from, to));
    for (const button of [...this.inner.children]) {
      if (!wanted.has(Number(button.dataset.row))) button.remove();
    }
    const there = new Set([...this.inner.children].map((button) => Number(button.dataset.row)));
    for (let place = from; place < to; place += 1) {
      const row = this.order[place];
      if (there.has(row)) continue;
      const button = h("button", { type: "button", dataset: { row }, style: { left: `${place * WIDE + 4}px` }, onclick: () => this.pick(row) });
      this.inner.append(button);
      this.refresh(row);
    }
  }

  refresh(row) {
    const button = this.inner.querySelector(`[data-row="${row}"]`);
    if (!button) return;
    const { image, text, title, done } = this.make(row);
    if (!button.firstChild) button.append(h("img", { src: image, alt: "", onerror: (event) => event.target.removeAttribute("src") }), h("span", {}));
    button.lastChild.textContent = text;
    button.setAttribute("aria-label", title);
    button.classList.toggle("done", done);
    button.setAttribute("aria-pressed", String(row === this.row));
  }

  show(row) {
    const before = this.row;
    this.row = row;
    const place = this.order.indexOf(row);
    if (place >= 0) {
      const left = place * WIDE;
      const { scrollLeft, clientWidth } = this.element;
      if (left < scrollLeft + WIDE || left > scrollLeft + clientWidth - 2 * WIDE) this.element.scrollLeft = left - clientWidth / 2 + WIDE / 2;
    }
    this.fill();
    this.refresh(before);
    this.refresh(row);
  }
}
