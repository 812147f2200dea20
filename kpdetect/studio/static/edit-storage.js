// Keeps the edits in the browser until the tab is closed, so that they outlast a visit to another page.
const STORED = "kpdetect-edit";

export function restored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED));
  } catch {
    return null; // the browser's storage is switched off
  }
}

export function store(state) {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(state));
  } catch {
    // the browser's storage is switched off: the edits are lost when the page is left
  }
}
