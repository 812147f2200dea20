// Before anything is painted: the theme that was chosen, or the system's.
"use strict";
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("kpdetect-theme");
  } catch {
    chosen = null; // storage is switched off
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
