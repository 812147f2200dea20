// Makes elements from a name, attributes and children. Listeners are given as properties, such as onclick.
const SVG = "http://www.w3.org/2000/svg";

export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, given);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function s(tag, given = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function fill(element, given) {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "style") Object.assign(element.style, value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on") || ["value", "checked", "disabled", "selected", "draggable", "indeterminate"].includes(name)) element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
}

export function labelled(text, control, note = "") {
  return h("label", { class: "field" }, h("span", {}, text), control, note ? h("small", {}, note) : null);
}

export function fileButton(text, accept, take, given = {}) {
  const input = h("input", { type: "file", accept, hidden: true, onchange: () => input.files[0] && (take(input.files[0]), (input.value = "")) });
  return [h("button", { type: "button", onclick: () => input.click(), ...given }, text), input];
}

export function typing(event) {
  return event.target instanceof Element && event.target.matches("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select");
}
