// The frame around the five pages (called rooms in the code): which page is open, the theme, and the keys.
import { get, sayWrong } from "./api.js";
import { h, typing } from "./dom.js";

const ROOMS = ["project", "edit", "name", "review", "compare"];

function themeButton() {
  const button = document.getElementById("theme");
  const show = () => (button.textContent = document.documentElement.dataset.theme === "dark" ? "Light" : "Dark");
  button.onclick = () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("kpdetect-theme"));
    try {
      localStorage.setItem("kpdetect-theme", theme);
    } catch {
      // the browser's storage is switched off: the choice holds until the page is closed
    }
    show();
  };
  show();
}

function keysDialog(keys) {
  const dialog = document.getElementById("help");
  const rows = [...keys, ["1 … 5", "open a page"], ["?", "show these keys"]];
  document.getElementById("help-text").replaceChildren(
    h("h2", {}, "Keys"),
    h("table", {}, h("tbody", {}, rows.map(([key, what]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, what))))),
  );
  document.getElementById("keys").onclick = () => dialog.showModal();
  document.addEventListener("keydown", (event) => {
    if (typing(event) || event.ctrlKey || event.metaKey || event.altKey || dialog.open || document.body.classList.contains("asking")) return;
    if (event.key === "?") dialog.showModal();
    if (/^[1-5]$/.test(event.key)) location.href = `/${ROOMS[Number(event.key) - 1]}`;
  });
}

async function start() {
  if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname);
  themeButton();
  const host = document.getElementById("room");
  try {
    const about = await get("/api/about");
    let room = location.pathname.slice(1);
    if (!ROOMS.includes(room)) {
      room = about.project ? "project" : "edit";
      history.replaceState(null, "", `/${room}`);
    }
    for (const link of document.querySelectorAll("#rooms a")) {
      if (link.getAttribute("href") === `/${room}`) link.setAttribute("aria-current", "page");
    }
    document.title = `${room[0].toUpperCase()}${room.slice(1)} · kpdetect studio`;
    document.getElementById("target").textContent = about.target;
    document.body.dataset.room = room;
    const module = await import(`/static/${room}.js`);
    keysDialog(module.KEYS);
    await module.open(host, about);
  } catch (error) {
    host.replaceChildren(h("section", { class: "empty" }, h("h1", {}, "This page cannot be opened"), h("p", {}, error.message)));
    sayWrong(error);
  }
  document.body.dataset.ready = "yes";
}

start();
