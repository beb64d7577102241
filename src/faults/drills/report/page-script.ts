/**
 * What a report can do where scripts run: say what held at the moment under the pointer, zoom, and look for events. Everything is on the page without it. It
 * puts nothing on the page but by `textContent`.
 */
export const PAGE_SCRIPT = `
"use strict";
document.documentElement.classList.add("live");
const offset = (ms) => {
  const s = Math.round(Math.abs(ms) / 1000), two = (n) => String(n).padStart(2, "0"), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return (ms < 0 && s > 0 ? "\\u2212" : "+") + (h > 0 ? h + ":" + two(m) : m) + ":" + two(s % 60);
};
for (const source of document.querySelectorAll("script[type='application/json']")) {
  const { start, end, zero, zones, looks } = JSON.parse(source.textContent);
  const section = source.closest("section");
  const plot = section.querySelector(".timeline .plot"), readout = section.querySelector(".readout"), cursor = plot.querySelector(".cursor");
  const pair = (name, [ready, all]) => name + " " + ready + "/" + all;
  const show = (atMs) => {
    let look;
    for (const one of looks) { if (one[0] > atMs) break; look = one; }
    cursor.setAttribute("x1", (100 * (atMs - start)) / (end - start) + "%");
    cursor.setAttribute("x2", cursor.getAttribute("x1"));
    cursor.setAttribute("visibility", "visible");
    readout.textContent = "";
    const say = (text, strong) => {
      const part = document.createElement(strong ? "b" : "span");
      part.textContent = text;
      readout.append(part, " ");
    };
    say(offset(atMs - zero), true);
    if (!look) return say("not looked yet");
    zones.forEach((zone, i) => {
      const z = look[3][i];
      if (!z) return;
      say(zone, true);
      say([pair("nodes", z.slice(0, 2)), pair("pods", z.slice(2, 4)), pair("masters", z.slice(4, 6))].join(", ") + " \\u00b7");
    });
    say((look[1] ? "API answers" : "API does not answer") + ", " + look[2] + " pending");
  };
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show(start + ((end - start) * (event.clientX - box.left)) / box.width);
  });
  plot.addEventListener("pointerleave", () => cursor.setAttribute("visibility", "hidden"));
  for (const button of section.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      // From the whole it goes to the beginning, where the first fault is; from there on what is in the middle stays there.
      const scroll = plot.parentElement, isWhole = scroll.scrollWidth <= scroll.clientWidth;
      const middle = isWhole ? 0 : (scroll.scrollLeft + scroll.clientWidth / 2) / scroll.scrollWidth;
      plot.style.width = 100 * button.dataset.zoom + "%";
      scroll.scrollLeft = middle * scroll.scrollWidth - scroll.clientWidth / 2;
      for (const other of section.querySelectorAll("[data-zoom]")) other.setAttribute("aria-pressed", String(other === button));
    });
  }
}
const filter = document.getElementById("event-filter");
if (filter) {
  const rows = [...document.querySelectorAll(".events tbody tr")], found = document.getElementById("event-count");
  const look = () => {
    const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) count++;
    }
    found.textContent = count + " of " + rows.length;
  };
  filter.addEventListener("input", look);
  look();
}
`;
